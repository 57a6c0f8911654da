"""Errors, files, hardware, terminal: nothing of the subject."""

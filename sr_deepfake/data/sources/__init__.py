"""Data sets: where faces come from."""

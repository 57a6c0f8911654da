"""Detectors from elsewhere: files of other programs, attacked and measured like detectors that are trained here."""

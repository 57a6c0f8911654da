"""Detectors of other programs: files attacked and measured like detectors that are trained here."""

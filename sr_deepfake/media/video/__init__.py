"""Whole videos: read, attacked, written."""

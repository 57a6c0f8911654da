"""Runs and what became of them, where results come from."""

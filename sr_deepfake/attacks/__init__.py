"""What attacks: transforms on batches of faces."""

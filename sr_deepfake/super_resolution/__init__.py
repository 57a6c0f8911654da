"""Networks that enlarge, and their weights."""

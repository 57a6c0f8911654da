"""Videos and photos → face crops and their manifest."""

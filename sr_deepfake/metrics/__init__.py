"""Numbers from scores and from image pairs."""

"""Training a super-resolution network on photos."""

"""Text to vectors, by a local model or from files made elsewhere."""

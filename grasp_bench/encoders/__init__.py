"""Text to vectors: by a local model, by a service, or read from files."""

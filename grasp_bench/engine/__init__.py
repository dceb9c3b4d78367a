"""Execute a plan over stages known only by registry: no model, no dataset."""

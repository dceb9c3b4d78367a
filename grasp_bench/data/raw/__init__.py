"""Public datasets from the files their publishers offer: fetching, reading, and the published rules."""

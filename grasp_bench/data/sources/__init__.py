"""Build public datasets from the files of their publishers, by the published rules."""

"""Models that generate the codes of an item, with networks of their own."""

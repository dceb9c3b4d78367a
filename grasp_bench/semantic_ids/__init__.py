"""Semantic IDs: tuples of codes for items, made from their vectors."""

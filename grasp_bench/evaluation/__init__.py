"""Ranks of held-out items, and what is read off them."""

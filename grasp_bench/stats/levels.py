"""Levels that all tests and intervals share; free of imports, since a cached board is shown with them."""

ALPHA = 0.05
LEVEL = 1 - ALPHA

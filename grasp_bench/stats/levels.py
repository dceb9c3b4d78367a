"""Levels of all tests and intervals; no imports, since a cached board needs them quickly."""

ALPHA = 0.05
LEVEL = 1 - ALPHA
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)  # the quantiles of a two-sided interval

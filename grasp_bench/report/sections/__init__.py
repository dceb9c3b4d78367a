"""Sections of a board, one file a kind."""

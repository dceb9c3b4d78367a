"""Formats of a board, one file each: `render(board, document) -> str`."""

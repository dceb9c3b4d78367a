"""A key to plant, and a search for it and its parts in everything that was written or said."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import polars as pl

SECRET = "sk-proj-Qm7zP2xVt9LrKw4NcYb8/HgD+3sJf6UaEo1"  # with characters that addresses would escape
PIECE = 8  # parts of it from this length on are looked for


def places_of_the_key(folder: Path, *said: str) -> list[str]:
    """Where a piece of it can be read; `.env` aside, which is where it belongs."""
    written = [*_files(folder), *((f"said {k}", text) for k, text in enumerate(said))]
    return [name for name, text in written if name != ".env" and any(piece in text for piece in _pieces())]


def _pieces() -> set[str]:
    """Every stretch of the key's own part (not of its prefix), and the whole key encoded."""
    own = SECRET.removeprefix("sk-proj-")
    parts = {own[start : start + PIECE] for start in range(len(own) - PIECE + 1)}
    return parts | {quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode()}


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and content of every file below a folder; what Parquet compresses, decompressed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes().decode("latin-1")
            if path.suffix == ".parquet":
                yield str(path.relative_to(folder)), pl.read_parquet(path).write_json()

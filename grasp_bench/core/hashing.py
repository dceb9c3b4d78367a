"""Content hashes: the same meaning gives the same hash on every machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

HASH_LENGTH = 16  # hex digits; 64 bits are ample for the nodes of one store


def content_hash(value: Any) -> str:
    """Hash a JSON-able value (dict order does not matter; NaN is refused)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def file_hash(path: Path) -> str:
    """Hash a file's bytes, streamed."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:HASH_LENGTH]

"""Content hashes, equal on every machine, and JSON objects that hold a checksum of their own content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grasp_bench.core import atomic

HASH_LENGTH = 16  # hex digits; 64 bits are ample for the nodes of one store


def content_hash(value: Any) -> str:
    """Hash a JSON-able value (dict order does not matter; NaN is refused)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits, streamed."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_hash(path: Path) -> str:
    """Hash a file's bytes."""
    return sha256_of(path)[:HASH_LENGTH]


KEY = "checksum"


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object atomically with its checksum in the last key."""
    plain = json.loads(json.dumps(content, allow_nan=False))  # as it will be read, with strings as keys
    atomic.write_json(path, {**plain, KEY: content_hash(plain)})


def has_checksum(content: Mapping[str, Any]) -> bool:
    """Return True when there is a checksum; files of earlier versions have none."""
    return KEY in content


def is_altered(content: Mapping[str, Any]) -> bool:
    """Return True when there is a checksum and it does not match."""
    return KEY in content and content[KEY] != content_hash(without_checksum(content))


def without_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content without its checksum."""
    return {key: value for key, value in content.items() if key != KEY}

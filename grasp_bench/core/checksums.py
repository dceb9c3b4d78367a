"""JSON objects that hold a checksum of their own content, so that alterations are found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grasp_bench.core import atomic
from grasp_bench.core.hashing import content_hash

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

"""JSON objects that carry a hash of their own content: altered ones are told from those that were written."""

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
    plain = json.loads(json.dumps(content, allow_nan=False))  # as it will be read: keys are strings then
    atomic.write_json(path, {**plain, KEY: content_hash(plain)})


def has_checksum(content: Mapping[str, Any]) -> bool:
    """True when it says its checksum; what earlier versions wrote does not."""
    return KEY in content


def is_altered(content: Mapping[str, Any]) -> bool:
    """True when it says a checksum, and its content has another."""
    return KEY in content and content[KEY] != content_hash(without_checksum(content))


def without_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content without its checksum."""
    return {key: value for key, value in content.items() if key != KEY}

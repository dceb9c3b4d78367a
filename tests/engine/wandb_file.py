"""Reads what wandb writes offline: a log of records in blocks, as LevelDB's format of logs says."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK, FILE_HEADER, HEADER = 32768, 7, 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(path: Path) -> Iterator[Any]:
    """The records as protocol buffers."""
    from wandb.proto import wandb_internal_pb2

    parts = b""
    for kind, data in _chunks(path.read_bytes()):
        parts = data if kind in (FULL, FIRST) else parts + data
        if kind in (FULL, LAST):
            yield wandb_internal_pb2.Record.FromString(parts)


def _chunks(content: bytes) -> Iterator[tuple[int, bytes]]:
    assert content[:4] == b":W&B"
    at = FILE_HEADER
    while at + HEADER <= len(content):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", content, at)
        yield kind, content[at + HEADER : at + HEADER + length]
        at += HEADER + length


def values(items: Any) -> dict[str, Any]:
    """Keys and JSON values of a history, summary or config item."""
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}

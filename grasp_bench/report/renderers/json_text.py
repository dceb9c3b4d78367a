"""The board as JSON: all of it, values as fractions in [0, 1]."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from grasp_bench.report.document import Document
from grasp_bench.report.schema import Board


def render(board: Board, document: Document) -> str:
    """board.json as it is stored; NaN is refused."""
    return json.dumps(board, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def as_json(value: Any) -> Any:
    """Dataclasses to plain values; numbers that are not finite become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

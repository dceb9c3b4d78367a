"""grasp_bench: a declarative benchmark harness for LLM-enhanced sequential recommendation.

`run`, `cells`, `board`, `compare` and `ranks` are those of `grasp_bench.frames`, imported when asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grasp_bench.frames import board, cells, compare, ranks, run

__version__ = "0.1.0"
__all__ = ["__version__", "board", "cells", "compare", "ranks", "run"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'grasp_bench' has no attribute '{name}'")
    # By name: for import-linter a module that reads the version does not import the whole package.
    return getattr(importlib.import_module("grasp_bench.frames"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

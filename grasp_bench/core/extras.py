"""Import optional dependencies late, with a clear error when one is missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from grasp_bench.core.errors import MissingExtraError


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional module or raise MissingExtraError naming the extra to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and module.split(".")[0] == error.name.split(".")[0]:
            raise MissingExtraError(module, extra) from None
        raise

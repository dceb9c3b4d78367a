"""Waiting for what will come: on a busy machine everything takes longer, and only a hang takes this long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 600.0  # seconds; no test asks a clock for less
Found = TypeVar("Found")


def until(condition: Callable[[], Found], pause: float = 0.02) -> Found:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(pause)
    return found

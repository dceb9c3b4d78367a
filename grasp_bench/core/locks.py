"""Locks between processes, by files; the system releases them when their holder dies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

POLL_SECONDS = 0.2


def acquire(path: Path, waiting: Callable[[], None] = lambda: None) -> BaseFileLock:
    """Take a lock and return it, to be `release`d; call `waiting` once if another process holds it.

    Raises OSError when the file cannot be written.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire(poll_interval=POLL_SECONDS)
    return lock


def is_abandoned(path: Path) -> bool:
    """Return True when a lock's file exists and no living process holds it."""
    from filelock import FileLock, Timeout

    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    return True

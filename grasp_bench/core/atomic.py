"""Write files that are whole or absent (temporary name, fsync, rename); lock between processes by files."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from filelock import BaseFileLock


@contextmanager
def private_files() -> Iterator[None]:
    """Make files and folders created in the block accessible to their owner alone (0600 and 0700).

    Sets the umask, which also applies to libraries that write files, and to other threads.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def make_private(folder: Path) -> None:
    """Make an existing folder and its content accessible to their owner alone."""
    folder.chmod(0o700)
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)


def fsync_path(path: Path) -> None:
    """Flush a file or directory to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that no reader ever sees half of it."""
    with stream(path) as file:
        file.write(data)


@contextmanager
def stream(path: Path) -> Iterator[BinaryIO]:
    """Write a file of any length in pieces; it appears when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
        fsync_path(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    fsync_path(path.parent)


def require_writable(folder: Path) -> None:
    """Create a folder and write in it; OSError says why that fails."""
    probe = folder / f".probe-{uuid.uuid4().hex[:8]}"
    write_bytes(probe, b"")
    probe.unlink()


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, keys in the given order; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


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

"""Files that other users of the machine may not read, from their first byte on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def private_files() -> Iterator[None]:
    """Within, files and folders that this process makes are for its user alone (0600 and 0700).

    By the process's umask: libraries that write files themselves heed it, and nothing is readable for a
    moment. Other threads of the process are under it, too.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def make_private(folder: Path) -> None:
    """Take a folder that is there, and all in it, from everybody else."""
    folder.chmod(0o700)
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)

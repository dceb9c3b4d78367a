"""Files that a user names, told apart from folders, devices and pipes before anything is opened.

A device has no end and a pipe may never say anything: whoever reads one waits for ever.
"""

from __future__ import annotations

import os
import stat
from functools import cache
from pathlib import Path

from grasp_bench.core.errors import MissingFileError
from grasp_bench.core.shown import shown_line, unseen

LONGEST_NAME = 4096  # characters; no file system takes more
KERNEL = ("/proc", "/sys")  # some of what lies there has no end either
FILE, FOLDER, NOTHING = "a file", "a folder", "nothing"
_KINDS = (
    (stat.S_ISREG, FILE),
    (stat.S_ISDIR, FOLDER),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def fault_of_name(name: str) -> str | None:
    """Why no file can be called so; None when one can."""
    if (character := unseen(name)) is not None:
        return f"holds the character {character}, which no file name needs"
    if len(name) > LONGEST_NAME:
        return f"has {len(name):,} characters; a path has at most {LONGEST_NAME:,}"
    return None


def kind_of(path: Path) -> str:
    """What a path leads to: `a file`, `a folder`, `a device`, …, `nothing`, or why nobody can tell."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: no path at all
        return NOTHING
    except OSError as error:
        return f"out of reach ({error.strerror})"
    kind = next((kind for is_it, kind in _KINDS if is_it(status.st_mode)), "a device")
    return "a file of the kernel" if kind == FILE and status.st_dev in _kernel() else kind


@cache
def _kernel() -> frozenset[int]:
    """The file systems whose files are made while they are read."""
    return frozenset(os.stat(root).st_dev for root in KERNEL if os.path.isdir(root))


def expanded(name: str) -> Path:
    """The path of a name, `~` replaced where there is such a home."""
    try:
        return Path(name).expanduser()
    except RuntimeError:  # ~nobody
        return Path(name)


def resolved(path: Path) -> Path:
    """The path without links; as far as they lead, where they lead in a circle."""
    return Path(os.path.realpath(path))


def require_file(path: Path, *, mend: str) -> Path:
    """The path of a regular file; MissingFileError says what is there instead."""
    kind = kind_of(path)
    if kind != FILE:
        there = "no such file" if kind == NOTHING else f"is {kind}, not a file"
        raise MissingFileError(f"{shown_line(str(path))}: {there}", mend=mend)
    return path

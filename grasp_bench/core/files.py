"""Tell files that a user names from folders, devices and pipes before opening them; make names of files.

Reading a device never ends, and reading a pipe may wait for ever.
"""

from __future__ import annotations

import os
import re
import stat
from functools import cache
from pathlib import Path

from grasp_bench.core.errors import MissingFileError
from grasp_bench.core.shown import shown_line, unseen

LONGEST_NAME = 4096  # characters; no file system takes more
KERNEL = ("/proc", "/sys")  # some files there are endless
FILE, FOLDER, NOTHING = "a file", "a folder", "nothing"
_KINDS = (
    (stat.S_ISREG, FILE),
    (stat.S_ISDIR, FOLDER),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def fault_of_name(name: str) -> str | None:
    """Return why a name cannot be that of a file; None when it can."""
    if (character := unseen(name)) is not None:
        return f"holds the character {character}, which no file name needs"
    if len(name) > LONGEST_NAME:
        return f"has {len(name):,} characters; a path has at most {LONGEST_NAME:,}"
    return None


def portable_name(text: str, also: str = "", longest: int = 60) -> str:
    """Return a text as a part of a file name that every system, shell and glob takes as it is.

    It keeps letters and digits of ASCII, dots, underscores and the signs `also`; anything else becomes `_`.
    Two texts may give one name: add a number or a hash, and write the text itself into the file.

    Example:
        >>> portable_name("my shop (sample of 2000 users)")
        'my_shop_sample_of_2000_users'
    """
    kept = re.sub(rf"[^A-Za-z0-9._{re.escape(also)}]+", "_", text)
    return kept.strip(f"._{also}")[:longest] or "_"


def kind_of(path: Path) -> str:
    """Return what is at a path: `a file`, `a folder`, `a device`, …, `nothing`, or why that is unknown."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: not a path
        return NOTHING
    except OSError as error:
        return f"out of reach ({error.strerror})"
    kind = next((kind for is_it, kind in _KINDS if is_it(status.st_mode)), "a device")
    return "a file of the kernel" if kind == FILE and status.st_dev in _kernel() else kind


@cache
def _kernel() -> frozenset[int]:
    """Return the file systems whose files are generated while they are read."""
    return frozenset(os.stat(root).st_dev for root in KERNEL if os.path.isdir(root))


def expanded(name: str) -> Path:
    """Return the path of a name, with `~` expanded if that home exists."""
    try:
        return Path(name).expanduser()
    except RuntimeError:  # ~nobody
        return Path(name)


def resolved(path: Path) -> Path:
    """Return the path without links; circular links stay."""
    return Path(os.path.realpath(path))


def require_file(path: Path, *, hint: str) -> Path:
    """Return the path of a regular file; MissingFileError says what is there instead."""
    kind = kind_of(path)
    if kind != FILE:
        there = "no such file" if kind == NOTHING else f"is {kind}, not a file"
        raise MissingFileError(f"{shown_line(str(path))}: {there}", hint=hint)
    return path


def cache_folder() -> Path:
    """Return the folder for what can be made again: `grasp_bench` in $XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "grasp_bench"

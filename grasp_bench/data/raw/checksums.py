"""SHA-256 of files: what is expected, what is found, and what is remembered beside them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from grasp_bench.core import atomic
from grasp_bench.core.errors import DownloadError

_DIGEST = re.compile(r"[0-9a-f]{64}")


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remembered(path: Path) -> str | None:
    """What `<name>.sha256` beside a file says, written as by sha256sum; None without one.

    Raises DownloadError when it holds no checksum.
    """
    beside = _beside(path)
    if not beside.is_file():
        return None
    found = _DIGEST.match(beside.read_text(encoding="utf-8", errors="replace").strip().lower())
    if found is None:
        raise DownloadError(f"{beside}: holds no SHA-256", mend="delete it, or write it with sha256sum")
    return found[0]


def remember(path: Path, digest: str) -> None:
    """Write `<name>.sha256` so that `sha256sum --check` reads it."""
    atomic.write_text(_beside(path), f"{digest}  {path.name}\n")


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")

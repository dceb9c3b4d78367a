"""Hash source files by content, and cache the hashes so that a large file is read once."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path

from grasp_bench.core import hashing
from grasp_bench.core.errors import DataError
from grasp_bench.core.files import require_file
from grasp_bench.core.hashing import content_hash, file_hash

MOST_FILES = 1_000  # in a folder; a model has a dozen

Fingerprint = Callable[[Path], str]


class Fingerprints:
    """Hash files by content; a file of unchanged size and modification time is not read again.

    `cache` is a JSON file that need not exist; if it cannot be written, hashing still works.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache
        self._known = _load(cache) if cache is not None else {}

    def __call__(self, path: Path) -> str:
        """Hash a file, or all files below a folder by their relative names."""
        if path.is_dir():
            inside = _files_below(path)
            return content_hash([[p.relative_to(path).as_posix(), self._of_file(p)] for p in inside])
        return self._of_file(path)

    def _of_file(self, path: Path) -> str:
        status = require_file(path, hint="correct the path in the spec").stat()
        state = [status.st_size, status.st_mtime_ns]
        key = str(path.resolve())
        known = self._known.get(key)
        if known is None or known[:2] != state:
            known = [*state, file_hash(path)]
            self._known[key] = known
            self._save()
        return str(known[2])

    def _save(self) -> None:
        if self._cache is not None:
            with suppress(OSError):
                hashing.write(self._cache, self._known)


def _files_below(folder: Path) -> list[Path]:
    """List the files below a folder, sorted; DataError when it holds more files than a model does."""
    inside = list(islice((path for path in folder.rglob("*") if path.is_file()), MOST_FILES + 1))
    if len(inside) > MOST_FILES:
        raise DataError(
            f"{folder}: holds more than {MOST_FILES:,} files", hint="name the folder of one model in the spec"
        )
    return sorted(inside)


def _load(cache: Path) -> dict[str, list[int | str]]:
    """Read the cache; a damaged, altered or foreign file counts as empty, since it only saves time."""
    try:
        found = json.loads(cache.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict) or not hashing.has_checksum(found) or hashing.is_altered(found):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, list) and len(value) == 3}


def cache_file(store: Path) -> Path:
    """The file in which a store keeps the hashes of source files."""
    return store / "file_hashes.json"

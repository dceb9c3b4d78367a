"""Compare an artefact's files with the checksums in its sidecar when they are opened.

A file is compared once per process, and again if its inode, size or modification time changes. A damaged
artefact is renamed to `<hash>.damaged`, so that nothing is lost, and `run` makes it again. CRC-32 is fast
(2.7 GB/s here; SHA-256 1.0, BLAKE2b 0.6) and finds damage and mistakes, not deliberate changes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grasp_bench.core import atomic, hashing
from grasp_bench.core.errors import DamagedError, StoreError

SIDECAR = "artefact.json"
ASIDE = ".damaged"
BLOCK = 1 << 20
_HINT = "run the spec again (grasp-bench run; grasp-bench tune for a search): it is made anew"

_compared: set[tuple[str, int, int, int]] = set()  # path, inode, bytes, time of change


def measure(folder: Path) -> dict[str, dict[str, Any]]:
    """Return size and CRC-32 of every file below a folder except the sidecar, by relative name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / SIDECAR)
    return {path.relative_to(folder).as_posix(): _measured(path) for path in files}


def read_sidecar(folder: Path) -> dict[str, Any]:
    """Return the sidecar of a finished artefact; StoreError without one, DamagedError when altered."""
    try:
        sidecar = _parsed(folder)
    except FileNotFoundError:
        raise StoreError(f"{folder}: no such artefact", hint="run the spec that makes it") from None
    if isinstance(sidecar, str):
        _set_aside_if(folder, lambda: _problem_of_sidecar(folder))
        return read_sidecar(folder)  # another process has made it again
    return sidecar


def sidecar_if_whole(folder: Path) -> dict[str, Any] | None:
    """Return the sidecar of a finished artefact, None when absent or damaged; move nothing."""
    try:
        found = _parsed(folder)
    except OSError:
        return None
    return None if isinstance(found, str) else found


def lists(folder: Path, name: str) -> bool:
    """Return True when an artefact has a file of this name, by its sidecar if that lists files."""
    if not (folder / SIDECAR).is_file():
        return (folder / name).is_file()
    files = read_sidecar(folder).get("files")
    return (folder / name).is_file() if files is None else name in files


def verified(path: Path, folder: Path | None = None) -> Path:
    """Return the path of an artefact's file after comparing its bytes; `folder` is by default its parent.

    Raises DamagedError and sets the artefact aside when they differ. Artefacts without checksums and
    unfinished ones are not compared.
    """
    folder = folder or path.parent
    key = _key(path)
    if key is not None and key in _compared:
        return path
    if folder.suffix or not (folder / SIDECAR).is_file():  # .partial, or not an artefact
        if key is None:
            raise StoreError(f"{path}: no such file", hint=_HINT)
        return path
    name = path.relative_to(folder).as_posix()
    files = read_sidecar(folder).get("files")
    if _problem_of_file(path, name, files) is not None:
        _set_aside_if(folder, lambda: _problem_of_file(path, name, read_sidecar(folder).get("files")))
        return verified(path, folder)  # another process has made it again
    if key is not None:
        _compared.add(key)
    return path


def set_aside(folder: Path) -> Path:
    """Rename an artefact's folder so that nothing reads it; return the new path."""
    number, aside = 1, folder.with_name(f"{folder.name}{ASIDE}")
    while aside.exists():
        number += 1
        aside = folder.with_name(f"{folder.name}{ASIDE}-{number}")
    folder.rename(aside)
    return aside


def reject(folder: Path, why: str) -> None:
    """Set a finished artefact aside for a reason that checksums do not show; raise DamagedError."""
    _set_aside_if(folder, lambda: why)


def _set_aside_if(folder: Path, problem: Callable[[], str | None]) -> None:
    """Under the node's lock, set the artefact aside and raise DamagedError if `problem` still finds one."""
    try:
        lock = atomic.acquire(folder.with_name(f"{folder.name}.lock"))
    except OSError:
        raise _cannot_move(folder, problem()) from None
    try:
        why = problem() if folder.is_dir() else f"{folder}: another process has set it aside as damaged"
        if why is None:
            return
        aside = set_aside(folder) if folder.is_dir() else None
    except OSError:
        raise _cannot_move(folder, problem()) from None
    finally:
        lock.release()
    raise DamagedError(why + (f"; the artefact is set aside as {aside}" if aside else ""), hint=_HINT)


def _cannot_move(folder: Path, why: str | None) -> DamagedError:
    return DamagedError(
        f"{why or folder}; it cannot be set aside",
        hint=f"make {folder.parent} writable, or copy the store and pass --store; then run the spec again",
    )


def _parsed(folder: Path) -> dict[str, Any] | str:
    """Return the sidecar, or a description of its damage."""
    try:
        sidecar = json.loads((folder / SIDECAR).read_text(encoding="utf-8"))
    except ValueError:
        return "not JSON"
    if not isinstance(sidecar, dict):
        return "no JSON object"
    if sidecar.get("hash") != folder.name:
        return "describes another artefact"
    return "was altered" if hashing.is_altered(sidecar) else hashing.without_checksum(sidecar)


def _problem_of_sidecar(folder: Path) -> str | None:
    found = _parsed(folder)
    return f"{folder / SIDECAR}: damaged sidecar ({found})" if isinstance(found, str) else None


def _problem_of_file(path: Path, name: str, files: dict[str, Any] | None) -> str | None:
    if not path.is_file():
        return f"{path}: missing from a finished artefact"
    if files is None:
        return None
    if name not in files:
        return f"{path}: no file of this artefact"
    known, size = files[name], path.stat().st_size
    if size != known["bytes"]:
        return f"{path}: damaged ({size:,} bytes, {known['bytes']:,} were written)"
    return None if _measured(path) == known else f"{path}: damaged (other bytes than were written)"


def _measured(path: Path) -> dict[str, Any]:
    count = crc = 0
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK):
            count, crc = count + len(block), zlib.crc32(block, crc)
    return {"bytes": count, "crc32": f"{crc:08x}"}


def _key(path: Path) -> tuple[str, int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return str(path.absolute()), status.st_ino, status.st_size, status.st_mtime_ns

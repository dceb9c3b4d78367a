"""Are an artefact's files those that were written? Checksums in its sidecar, compared when a file is opened.

A file is compared once a process, and again if its inode, size or time of change is another. What differs is
not believed: the whole artefact is renamed to `<hash>.damaged`, so that nothing is lost, and `run` makes it
again. CRC-32 (2.7 GB/s here; SHA-256 does 1.0, BLAKE2b 0.6) finds damage and mistaken files; it is no
defence against somebody who recomputes it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grasp_bench.core import checksums, locks
from grasp_bench.core.errors import DamagedError, StoreError

SIDECAR = "artefact.json"
ASIDE = ".damaged"
BLOCK = 1 << 20
_MEND = "run the spec again (grasp-bench run; grasp-bench tune for a search): it is made anew"

_compared: set[tuple[str, int, int, int]] = set()  # path, inode, bytes, time of change


def measure(folder: Path) -> dict[str, dict[str, Any]]:
    """Bytes and CRC-32 of every file below a folder but the sidecar, by relative name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / SIDECAR)
    return {path.relative_to(folder).as_posix(): _measured(path) for path in files}


def read_sidecar(folder: Path) -> dict[str, Any]:
    """The sidecar of a finished artefact; StoreError without one, DamagedError where it is not as written."""
    try:
        sidecar = _parsed(folder)
    except FileNotFoundError:
        raise StoreError(f"{folder}: no such artefact", mend="run the spec that makes it") from None
    if isinstance(sidecar, str):
        _give_up(folder, lambda: _problem_of_sidecar(folder))
        return read_sidecar(folder)  # another process has made it anew
    return sidecar


def sidecar_if_whole(folder: Path) -> dict[str, Any] | None:
    """The sidecar of a finished artefact, None where it is gone or damaged; nothing is moved."""
    try:
        found = _parsed(folder)
    except OSError:
        return None
    return None if isinstance(found, str) else found


def lists(folder: Path, name: str) -> bool:
    """True when an artefact has a file of this name, by its sidecar where that tells."""
    if not (folder / SIDECAR).is_file():
        return (folder / name).is_file()
    files = read_sidecar(folder).get("files")
    return (folder / name).is_file() if files is None else name in files


def verified(path: Path, folder: Path | None = None) -> Path:
    """Return the path of a file of an artefact, by default in its folder, once its bytes are as written.

    Raises DamagedError, and sets the artefact aside, where they are not. What was made before checksums were
    kept, or is not finished, is taken as it is.
    """
    folder = folder or path.parent
    key = _key(path)
    if key is not None and key in _compared:
        return path
    if folder.suffix or not (folder / SIDECAR).is_file():  # .partial, or a folder that is no artefact
        if key is None:
            raise StoreError(f"{path}: no such file", mend=_MEND)
        return path
    name = path.relative_to(folder).as_posix()
    files = read_sidecar(folder).get("files")
    if _problem_of_file(path, name, files) is not None:
        _give_up(folder, lambda: _problem_of_file(path, name, read_sidecar(folder).get("files")))
        return verified(path, folder)  # another process has made it anew
    if key is not None:
        _compared.add(key)
    return path


def set_aside(folder: Path) -> Path:
    """Rename an artefact's folder to one that nobody reads and return the new path."""
    number, aside = 1, folder.with_name(f"{folder.name}{ASIDE}")
    while aside.exists():
        number += 1
        aside = folder.with_name(f"{folder.name}{ASIDE}-{number}")
    folder.rename(aside)
    return aside


def reject(folder: Path, why: str) -> None:
    """Set a finished artefact aside for a reason that its checksums do not tell; raises DamagedError."""
    _give_up(folder, lambda: why)


def _give_up(folder: Path, problem: Callable[[], str | None]) -> None:
    """Set aside what `problem` still finds under the node's lock and raise DamagedError; else return."""
    try:
        lock = locks.acquire(folder.with_name(f"{folder.name}.lock"))
    except OSError:
        raise _immovable(folder, problem()) from None
    try:
        why = problem() if folder.is_dir() else f"{folder}: another process has set it aside as damaged"
        if why is None:
            return
        aside = set_aside(folder) if folder.is_dir() else None
    except OSError:
        raise _immovable(folder, problem()) from None
    finally:
        lock.release()
    raise DamagedError(why + (f"; the artefact is set aside as {aside}" if aside else ""), mend=_MEND)


def _immovable(folder: Path, why: str | None) -> DamagedError:
    return DamagedError(
        f"{why or folder}; it cannot be set aside",
        mend=f"make {folder.parent} writable, or copy the store and pass --store; then run the spec again",
    )


def _parsed(folder: Path) -> dict[str, Any] | str:
    """The sidecar, or what is wrong with it."""
    try:
        sidecar = json.loads((folder / SIDECAR).read_text(encoding="utf-8"))
    except ValueError:
        return "not JSON"
    if not isinstance(sidecar, dict):
        return "no JSON object"
    if sidecar.get("hash") != folder.name:
        return "describes another artefact"
    return "was altered" if checksums.is_altered(sidecar) else checksums.without_checksum(sidecar)


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

"""The store: one folder per node, named by its content hash, whole or absent.

    <root>/<stage>/<hash>/            finished; files plus the sidecar artefact.json
    <root>/<stage>/<hash>.partial/    work in progress, kept after a crash so that a stage may resume
    <root>/<stage>/<hash>.lock        held while a process works on the node

A finished folder appears by one rename, so a reader needs no lock. Seconds spent on attempts that
failed or were interrupted stay in the partial folder and are added to the artefact's own.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grasp_bench.core import atomic, locks
from grasp_bench.core.errors import StoreError
from grasp_bench.core.private import make_private, private_files

SIDECAR = "artefact.json"
ELAPSED = ".elapsed"  # seconds that earlier attempts at a partial folder took


@dataclass(frozen=True)
class Artefact:
    """A finished node: its folder and its sidecar."""

    path: Path
    sidecar: dict[str, Any]

    def file(self, name: str) -> Path:
        """Path of one of the artefact's files; StoreError if it is gone."""
        path = self.path / name
        if not path.is_file():
            raise StoreError(
                f"{path}: missing from a finished artefact", mend=f"delete {self.path} and run again"
            )
        return path


class Store:
    """Content-addressed artefacts under one root; safe for several processes at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, stage: str, digest: str) -> Path:
        """Where the finished artefact of a node is or will be."""
        return self.root / stage / digest

    def has(self, stage: str, digest: str) -> bool:
        """True when the node is finished."""
        return (self.folder(stage, digest) / SIDECAR).is_file()

    def get(self, stage: str, digest: str) -> Artefact:
        """Open a finished artefact; StoreError when absent or its sidecar is damaged."""
        folder = self.folder(stage, digest)
        try:
            sidecar = json.loads((folder / SIDECAR).read_text())
        except FileNotFoundError:
            raise StoreError(f"{folder}: no such artefact", mend="run the spec that makes it") from None
        except ValueError:
            raise _damaged(folder, "not JSON") from None
        if not isinstance(sidecar, dict) or sidecar.get("hash", digest) != digest:
            raise _damaged(folder, "describes another artefact")
        return Artefact(folder, sidecar)

    def artefacts(self, stage: str) -> Iterator[Artefact]:
        """Finished artefacts of a stage; damaged ones are passed over."""
        for sidecar in sorted((self.root / stage).glob(f"*/{SIDECAR}")):
            if not sidecar.parent.name.endswith(".partial"):
                with suppress(StoreError):
                    yield self.get(stage, sidecar.parent.name)

    def has_partial(self, stage: str, digest: str) -> bool:
        """True when an unfinished attempt left files to resume from."""
        partial = self.folder(stage, digest).with_name(f"{digest}.partial")
        return partial.is_dir() and any(path.name != ELAPSED for path in partial.iterdir())

    def check_writable(self) -> None:
        """Make the root and write in it; StoreError says why that is not possible."""
        probe = self.root / f".probe-{uuid.uuid4().hex[:8]}"
        try:
            atomic.write_text(probe, "")
            probe.unlink()
        except OSError as error:
            raise _not_writable(self.root, error) from None

    @contextmanager
    def lock(self, stage: str, digest: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the node's lock: one process at a time works on a node, the others wait.

        `waiting` is called once if another process holds it. The system frees the lock of a
        process that dies.
        """
        path = self.root / stage / f"{digest}.lock"
        try:
            lock = locks.acquire(path, waiting)
        except OSError as error:
            raise _not_writable(path, error) from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def writing(
        self, stage: str, digest: str, sidecar: dict[str, Any], *, private: bool = False
    ) -> Iterator[Path]:
        """Yield the node's partial folder; on success fsync it and rename it into place.

        Call under `lock`. What a crashed attempt left in the folder is still there: a stage that
        cannot resume from it overwrites it. `sidecar` may be filled while the block runs; the
        seconds that the block took are added. A `private` folder and all in it is for the user alone.
        """
        self.folder(stage, digest).parent.mkdir(parents=True, exist_ok=True)  # shared by all of a stage
        with private_files() if private else nullcontext():
            yield from self._writing(stage, digest, sidecar, private)

    def _writing(self, stage: str, digest: str, sidecar: dict[str, Any], private: bool) -> Iterator[Path]:
        final = self.folder(stage, digest)
        partial = final.with_name(f"{digest}.partial")
        partial.mkdir(exist_ok=True)
        if private:
            make_private(partial)
        before = _elapsed(partial)
        started = time.perf_counter()
        try:
            yield partial
        except BaseException:
            with suppress(OSError):
                atomic.write_text(partial / ELAPSED, f"{before + time.perf_counter() - started:.3f}")
            raise
        sidecar["seconds"] = round(before + time.perf_counter() - started, 3)
        (partial / ELAPSED).unlink(missing_ok=True)
        for path in partial.rglob("*"):
            if path.is_file():
                atomic.fsync_path(path)
        atomic.write_json(partial / SIDECAR, sidecar)
        if final.exists():  # a folder without a sidecar: damaged by hand
            shutil.rmtree(final)
        partial.rename(final)
        atomic.fsync_path(final.parent)


def _elapsed(partial: Path) -> float:
    try:
        return max(0.0, float((partial / ELAPSED).read_text()))
    except (OSError, ValueError):
        return 0.0


def _damaged(folder: Path, why: str) -> StoreError:
    return StoreError(f"{folder / SIDECAR}: damaged sidecar ({why})", mend=f"delete {folder} and run again")


def _not_writable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path}: cannot be written ({error.strerror or error})", mend="pass --store or set GRASP_BENCH_STORE"
    )

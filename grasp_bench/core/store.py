"""The store: one folder per node, named by its content hash, whole or absent.

    <root>/<stage>/<hash>/            finished; files plus the sidecar artefact.json
    <root>/<stage>/<hash>.partial/    work in progress, kept after a crash so that a stage may resume
    <root>/<stage>/<hash>.damaged/    altered since it was written; nothing reads it (core/integrity.py)
    <root>/<stage>/<hash>.lock        held while a process works on the node

A finished folder appears by one rename, so a reader needs no lock. Seconds spent on attempts that
failed or were interrupted stay in the partial folder and are added to the artefact's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grasp_bench.core import atomic, hashing, integrity
from grasp_bench.core.atomic import make_private, private_files
from grasp_bench.core.errors import StoreError
from grasp_bench.core.integrity import SIDECAR

ELAPSED = ".elapsed"  # seconds of earlier attempts at a partial folder


@dataclass(frozen=True)
class Artefact:
    """A finished node: its folder and its sidecar."""

    path: Path
    sidecar: dict[str, Any]

    def file(self, name: str) -> Path:
        """Return the path of a file; DamagedError if it is absent or was altered."""
        return integrity.verified(self.path / name, self.path)

    def has_file(self, name: str) -> bool:
        """Return True when the artefact has a file of this name."""
        return integrity.lists(self.path, name)


class Store:
    """Content-addressed artefacts under one root; safe for several processes at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, stage: str, digest: str) -> Path:
        """Return the folder of a node's finished artefact."""
        return self.root / stage / digest

    def has(self, stage: str, digest: str) -> bool:
        """Return True when the node is finished."""
        return (self.folder(stage, digest) / SIDECAR).is_file()

    def get(self, stage: str, digest: str) -> Artefact:
        """Open a finished artefact; StoreError when absent, DamagedError when its sidecar is damaged."""
        folder = self.folder(stage, digest)
        return Artefact(folder, integrity.read_sidecar(folder))

    def was_damaged(self, stage: str, digest: str) -> bool:
        """Return True when the node was found damaged and is not made again yet."""
        folder = self.folder(stage, digest)
        left = folder.is_dir() or folder.with_name(f"{digest}{integrity.ASIDE}").is_dir()
        return left and not self.has(stage, digest)

    def set_aside(self) -> list[Path]:
        """Return the folders of damaged artefacts, which may be deleted."""
        return sorted(self.root.glob(f"*/*{integrity.ASIDE}*"))

    def artefacts(self, stage: str) -> Iterator[Artefact]:
        """Yield the finished artefacts of a stage, without damaged ones."""
        for sidecar in sorted((self.root / stage).glob(f"*/{SIDECAR}")):
            folder = sidecar.parent
            if not folder.suffix and (found := integrity.sidecar_if_whole(folder)) is not None:
                yield Artefact(folder, found)

    def has_partial(self, stage: str, digest: str) -> bool:
        """Return True when an unfinished attempt left files to resume from."""
        partial = self.folder(stage, digest).with_name(f"{digest}.partial")
        return partial.is_dir() and any(path.name != ELAPSED for path in partial.iterdir())

    def check_writable(self) -> None:
        """Create the root and write in it; StoreError says why that fails."""
        try:
            atomic.require_writable(self.root)
        except OSError as error:
            raise _not_writable(self.root, error) from None

    @contextmanager
    def lock(self, stage: str, digest: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the node's lock: one process at a time works on a node, others wait.

        `waiting` is called once if another process holds it. The system releases a dead process's lock.
        """
        path = self.root / stage / f"{digest}.lock"
        try:
            lock = atomic.acquire(path, waiting)
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

        Call under `lock`. Files of a crashed attempt are still in the folder; a stage that cannot resume
        overwrites them. `sidecar` may be filled while the block runs; its seconds are added. Only the
        user can read a `private` folder and its files.
        """
        self.folder(stage, digest).parent.mkdir(parents=True, exist_ok=True)  # shared by all nodes of a stage
        with private_files() if private else nullcontext():
            yield from self._writing(stage, digest, sidecar, private)

    def _writing(self, stage: str, digest: str, sidecar: dict[str, Any], private: bool) -> Iterator[Path]:
        final = self.folder(stage, digest)
        partial = final.with_name(f"{digest}.partial")
        partial.mkdir(exist_ok=True)
        (partial / SIDECAR).unlink(missing_ok=True)  # from an attempt that ended just before the rename
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
        sidecar["hash"] = digest
        sidecar["files"] = integrity.measure(partial)
        hashing.write(partial / SIDECAR, sidecar)
        if final.exists():  # a folder that lost its sidecar
            integrity.set_aside(final)
        partial.rename(final)
        atomic.fsync_path(final.parent)


def _elapsed(partial: Path) -> float:
    try:
        return max(0.0, float((partial / ELAPSED).read_text()))
    except (OSError, ValueError):
        return 0.0


def _not_writable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path}: cannot be written ({error.strerror or error})", hint="pass --store or set GRASP_BENCH_STORE"
    )

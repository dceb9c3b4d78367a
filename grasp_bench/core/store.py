"""The store: one folder per node, named by its content hash, whole or absent.

    <root>/<stage>/<hash>/            finished; files plus the sidecar artefact.json
    <root>/<stage>/<hash>.partial/    work in progress, kept after a crash so that a stage may resume
    <root>/<stage>/<hash>.lock        held while a process works on the node
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grasp_bench.core import atomic
from grasp_bench.core.errors import StoreError

SIDECAR = "artefact.json"


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
            raise StoreError(
                f"{folder / SIDECAR}: damaged sidecar", mend=f"delete {folder} and run again"
            ) from None
        return Artefact(folder, sidecar)

    @contextmanager
    def lock(self, stage: str, digest: str) -> Iterator[None]:
        """Hold the node's lock: one process at a time works on a node, the others wait."""
        from filelock import FileLock

        path = self.root / stage / f"{digest}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{path.parent}: {error.strerror}", mend="pass --store or set GRASP_BENCH_STORE"
            ) from None
        with FileLock(path):
            yield

    @contextmanager
    def writing(self, stage: str, digest: str, sidecar: dict[str, Any]) -> Iterator[Path]:
        """Yield the node's partial folder; on success fsync it and rename it into place.

        Call under `lock`. What a crashed attempt left in the folder is still there: a stage that
        cannot resume from it overwrites it. `sidecar` may be filled while the block runs; the
        seconds that the block took are added.
        """
        final = self.folder(stage, digest)
        partial = final.with_name(f"{digest}.partial")
        partial.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        yield partial
        sidecar["seconds"] = round(sidecar.get("seconds_before", 0.0) + time.perf_counter() - started, 3)
        for path in partial.rglob("*"):
            if path.is_file():
                atomic.fsync_path(path)
        atomic.write_json(partial / SIDECAR, sidecar)
        if final.exists():  # a folder without a sidecar: damaged by hand
            shutil.rmtree(final)
        partial.rename(final)
        atomic.fsync_path(final.parent)

"""Look after a store: what it holds, whether it is whole, and what no spec needs any more."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grasp_bench.core.errors import DamagedError
from grasp_bench.core.integrity import ASIDE, SIDECAR
from grasp_bench.core.progress import Event, Report, silent
from grasp_bench.core.store import Artefact, Store
from grasp_bench.plan.compile import Plan
from grasp_bench.plan.nodes import STAGE_VERSIONS

# Texts may hold answers that were paid for; they are never deleted.
KEPT_STAGES = ("text", "text_noise")


@dataclass(frozen=True)
class Usage:
    """What a stage takes: finished artefacts, unfinished ones, damaged ones set aside, bytes of all."""

    stage: str
    finished: int
    unfinished: int
    damaged: int
    bytes: int


def usage(store: Store) -> list[Usage]:
    """Count artefacts and bytes of each stage that the store has."""
    found = []
    for stage in STAGE_VERSIONS:
        folders = [path for path in (store.root / stage).glob("*") if path.is_dir()]
        if folders:
            finished = sum((folder / SIDECAR).is_file() and not folder.suffix for folder in folders)
            partial = sum(folder.suffix == ".partial" for folder in folders)
            damaged = sum(ASIDE in folder.name for folder in folders)
            found.append(Usage(stage, finished, partial, damaged, sum(map(size_of, folders))))
    return found


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def verify(store: Store, report: Report = silent) -> list[str]:
    """Compare every file of every artefact with its checksum; return what is wrong.

    Damaged artefacts are set aside, so that the next run makes them again.
    """
    wrong, artefacts = [], list(_finished(store))
    for place, (stage, digest) in enumerate(artefacts, 1):
        try:
            artefact = store.get(stage, digest)
            for name in artefact.sidecar.get("files") or {}:
                artefact.file(name)
        except DamagedError as error:
            wrong.append(error.message)
        report(Event("verify", place, len(artefacts), "artefacts"))
    return wrong


def unneeded(store: Store, plans: Iterable[Plan]) -> list[Artefact]:
    """Return finished artefacts that no cell of the plans reads or makes, except texts."""
    needed = {node.hash for plan in plans for node in plan.nodes}
    return [
        artefact
        for stage in STAGE_VERSIONS
        if stage not in KEPT_STAGES
        for artefact in store.artefacts(stage)
        if artefact.path.name not in needed
    ]


def delete(store: Store, artefact: Artefact) -> None:
    """Delete an artefact under its lock; the sidecar goes first, so that it is never half there."""
    folder = artefact.path
    with store.lock(folder.parent.name, folder.name):
        (folder / SIDECAR).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def delete_set_aside(store: Store) -> int:
    """Delete damaged artefacts that were set aside; return their bytes."""
    folders = [folder for folder in store.set_aside() if folder.parent.name not in KEPT_STAGES]
    freed = sum(map(size_of, folders))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return freed


def _finished(store: Store) -> Iterator[tuple[str, str]]:
    for stage in STAGE_VERSIONS:
        for sidecar in sorted((store.root / stage).glob(f"*/{SIDECAR}")):
            if not sidecar.parent.suffix:
                yield stage, sidecar.parent.name

"""A finished cell to `results/<spec>/<slug>/`: small files, fit to be committed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grasp_bench.core import atomic
from grasp_bench.core.errors import StoreError
from grasp_bench.core.store import Artefact, Store
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.leaks import marked_leaks
from grasp_bench.spec.encoder import PrecomputedEncoder
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.model import NEEDS_EMBEDDINGS
from grasp_bench.spec.section import asked_of

CELL = "cell.json"
PATH_KEYS = ("path", "users", "items")
MEASURED = ("metrics.json", "ranks.parquet")


def publish(cell: Cell, spec: str, store: Store, results: Path) -> bool:
    """Write the cell's files unless the same are there; True when something was written.

    `cell.json` goes last and is taken away first: while it is there, the other files belong to it.
    Raises StoreError when the results folder cannot be written.
    """
    folder = results / spec / cell.slug
    if is_published(cell, folder):
        return False
    metrics = store.get("metrics", cell.hash)
    try:
        (folder / CELL).unlink(missing_ok=True)
        for name in MEASURED:
            atomic.write_bytes(folder / name, metrics.file(name).read_bytes())
        atomic.write_json(folder / CELL, describe(cell, spec, metrics, _artefact_of_training(cell, store)))
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be written ({error.strerror or error})", mend="pass --results or free the disk"
        ) from None
    return True


def is_published(cell: Cell, folder: Path) -> bool:
    """True when the folder holds this very cell, whole."""
    try:
        found = json.loads((folder / CELL).read_text())
    except (OSError, ValueError):
        return False
    same = isinstance(found, dict) and found.get("hash") == cell.hash
    return same and all((folder / name).is_file() for name in MEASURED)


def stale_folders(results: Path, spec: str, slugs: set[str]) -> list[Path]:
    """Published cells that the spec no longer asks for; they are left where they are."""
    found = sorted((results / spec).glob(f"*/{CELL}"))
    return [path.parent for path in found if path.parent.name not in slugs]


def identity(cell: Cell) -> dict[str, Any]:
    """Which cell it is: the part of cell.json that is known before anything has run."""
    return {
        "slug": cell.slug,
        "kind": cell.kind,
        "dataset": cell.dataset,
        "backbone": cell.experiment.model.backbone,
        "enhancer": cell.experiment.model.enhancer,
        "ablation": cell.ablation,
        "noise": None,
        "variant": dict(cell.variant),
        "seed": cell.seed,
        "hash": cell.hash,
        "protocol_hash": cell.protocol_hash,
    }


def describe(cell: Cell, spec: str, metrics: Artefact, training: dict[str, Any]) -> dict[str, Any]:
    """The content of cell.json (docs/architecture.md, "Cells and results")."""
    experiment, facts = cell.experiment, training.get("facts", {})
    return {
        "spec": spec,
        **identity(cell),
        "leaks": marked_leaks(experiment),
        "nodes": {role: node.hash for role, node in cell.nodes.items()},
        "settings": {
            "model": experiment.model.effective(),
            "training": experiment.training.model_dump(mode="json"),
            "protocol": experiment.dataset.protocol.model_dump(mode="json"),
            **_knowledge(experiment),
        },
        "train": {
            "epochs": facts.get("epochs"),
            "best_epoch": facts.get("best_epoch"),
            "seconds": training.get("seconds"),
        },
        "versions": training.get("versions", {}),
        "machine": training.get("machine"),
        "finished": metrics.sidecar.get("finished"),
    }


def _knowledge(experiment: Experiment) -> dict[str, Any]:
    """Where text and vectors come from, for cells that read some; files by their names alone."""
    if experiment.model.enhancer not in NEEDS_EMBEDDINGS:
        return {}
    sections: dict[str, Any] = {"encoder": asked_of(experiment.encoder), "index": asked_of(experiment.index)}
    if not isinstance(experiment.encoder, PrecomputedEncoder):
        sections["text"] = {name: asked_of(source) for name, source in experiment.text}
    for section in (sections["encoder"], *sections.get("text", {}).values()):
        section |= {key: Path(section[key]).name for key in PATH_KEYS if isinstance(section.get(key), str)}
    return sections


def _artefact_of_training(cell: Cell, store: Store) -> dict[str, Any]:
    """The train sidecar; empty when somebody has cleared checkpoints and kept metrics."""
    digest = cell.nodes["train"].hash
    return store.get("train", digest).sidecar if store.has("train", digest) else {}

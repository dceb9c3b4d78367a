"""Publish a finished cell as small files in `results/<spec>/<slug>/`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from grasp_bench.core import atomic, integrity, published
from grasp_bench.core.errors import DataError, StoreError
from grasp_bench.core.published import CELL, MEASURED
from grasp_bench.core.store import Artefact, Store
from grasp_bench.plan.cells import Cell, marked_leaks
from grasp_bench.plan.controls import run_of
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.encoder import VectorFileSettings
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.section import explicit_values

INSTEAD = {"template": "the default template stands in for them", "drop": "they have no text"}
NAMES = {"na": "NA", "over_long": "over-long", "echo": "echoes"}


def substituted_texts(cell: Cell, store: Store) -> list[str]:
    """Return a line for each text source of the cell some of whose texts were replaced."""
    nodes = (node for role, node in cell.nodes.items() if role.endswith("_text"))
    return [line for node in nodes if (line := _substituted(node, store))]


def warnings(nodes: Iterable[Node], store: Store) -> list[str]:
    """Return warnings about metrics that depend on these nodes."""
    lines: list[str] = []
    for node in nodes:
        if line := _substituted(node, store):
            lines.append(line)
        if node.stage == "embeddings" and (dropped := _facts(node, store).get("dropped")):
            useless = f"{dropped:,} vectors of an earlier run were of no use and were asked for again"
            lines.append(f"encoder ({node.settings['side']}): {useless}")
    return lines


def _facts(node: Node, store: Store) -> Mapping[str, Any]:
    if not store.has(node.stage, node.hash):
        return {}
    artefact: Artefact = store.get(node.stage, node.hash)
    facts: Mapping[str, Any] = artefact.sidecar.get("facts", {})
    return facts


def _substituted(node: Node, store: Store) -> str | None:
    """`text.items: 35 % of texts are not by openai/x (3 empty, 1 refusal): the default template …`."""
    if node.stage != "text" or node.settings["source"]["provider"] == "template":
        return None
    facts = _facts(node, store)
    source = node.settings["source"]
    if verdicts := facts.get("verdicts"):
        failures = {name: n for name, n in verdicts.items() if n and name != "text"}
        total, by = sum(verdicts.values()), str(source.get("model", "the model"))
        why = ", ".join(f"{n:,} {NAMES.get(name, name)}" for name, n in failures.items())
        instead = INSTEAD.get(facts.get("fallback", ""), "")
    else:
        failures = {"missing": facts.get("missing", 0)} if facts.get("missing") else {}
        total, by = facts.get("count", 0), str(facts.get("file", "the file"))
        why = f"{failures.get('missing', 0):,} missing"
        instead = INSTEAD["template" if "told_by_template" in facts else "drop"]
    if not failures or not total:
        return None
    share = 100 * sum(failures.values()) / total
    said = f"{share:.0f}" if share >= 10 else f"{share:.2g}"
    return f"text.{node.settings['side']}: {said} % of texts are not from {by} ({why}): {instead}"


PATH_KEYS = ("path", "users", "items")


def publish(cell: Cell, spec: str, store: Store, results: Path) -> bool:
    """Write the cell's files unless intact ones are there; return True when something was written.

    `cell.json` is removed first and written last: while it exists, the other files belong to it.
    Raises StoreError when the results folder cannot be written, DamagedError when the store's metrics are
    damaged.
    """
    folder = results / spec / cell.slug
    if is_published(cell, folder):
        return False
    metrics = store.get("metrics", cell.hash)
    _require_figures(cell, metrics)
    contents = {name: metrics.file(name).read_bytes() for name in MEASURED}
    try:
        (folder / CELL).unlink(missing_ok=True)
        for name, content in contents.items():
            atomic.write_bytes(folder / name, content)
        published.write_cell(folder, describe(cell, spec, metrics, store))
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be written ({error.strerror or error})", hint="pass --results or free the disk"
        ) from None
    return True


def is_published(cell: Cell, folder: Path) -> bool:
    """Return True when the folder holds exactly this cell, with intact bytes.

    Cells of earlier versions have no checksums and are published again.
    """
    try:
        found = published.read_object(folder / CELL)
    except DataError:
        return False
    files = found.get("files")
    return found.get("hash") == cell.hash and files is not None and not published.changed_files(folder, files)


def _require_figures(cell: Cell, metrics: Artefact) -> None:
    """Check metrics without checksums against the ranks beside them."""
    if "files" in metrics.sidecar:
        return
    problem = published.metrics_problem(metrics.path, cell.experiment.dataset.protocol.ties)
    if problem is not None:
        integrity.reject(metrics.path, f"{metrics.path}: {problem}")


def stale_folders(results: Path, spec: str, slugs: set[str]) -> list[Path]:
    """Return the folders of published cells that the spec no longer contains."""
    found = sorted((results / spec).glob(f"*/{CELL}"))
    return [path.parent for path in found if path.parent.name not in slugs]


def identity(cell: Cell) -> dict[str, Any]:
    """Return the part of cell.json that is known before anything has run."""
    model = cell.experiment.model if cell.name is None else None
    return {
        "slug": cell.slug,
        "kind": cell.kind,
        "name": cell.name,
        "dataset": cell.dataset,
        "backbone": cell.backbone,
        "enhancer": model and model.enhancer,
        "ablation": cell.ablation,
        "noise": cell.noise and cell.noise.identity(),
        "variant": dict(cell.variant),
        "seed": cell.seed,
        "hash": cell.hash,
        "protocol_hash": cell.protocol_hash,
    }


def describe(cell: Cell, spec: str, metrics: Artefact, store: Store) -> dict[str, Any]:
    """Return the content of cell.json (docs/artefacts.md, "Cells")."""
    maker = _maker(cell, store)
    facts = maker.get("facts", {})
    substituted = substituted_texts(cell, store)
    return {
        "spec": spec,
        **identity(cell),
        "leaks": marked_leaks(cell),
        **({"substituted": substituted} if substituted else {}),
        "nodes": {role: node.hash for role, node in cell.nodes.items()},
        "settings": {
            **settings_of(cell),
            **(_imported(cell, facts) if cell.kind == "imported" else {}),
        },
        "train": {
            "epochs": facts.get("epochs"),
            "best_epoch": facts.get("best_epoch"),
            "seconds": maker.get("seconds"),
        },
        "versions": maker.get("versions", {}),
        "machine": maker.get("machine"),
        "finished": metrics.sidecar.get("finished"),
    }


def settings_of(cell: Cell) -> dict[str, Any]:
    """Return the settings of a cell, by section."""
    experiment = cell.experiment
    reads = any(role.endswith("_embeddings") for role in cell.nodes)
    return {
        **(_model(experiment) if cell.name is None else {}),
        "protocol": experiment.dataset.protocol.model_dump(mode="json"),
        **(_knowledge(experiment) if reads else {}),
    }


def _model(experiment: Experiment) -> dict[str, Any]:
    sections = {
        "model": experiment.model.effective(),
        "training": experiment.training.model_dump(mode="json"),
    }
    if experiment.noise is not None:
        sections["noise"] = experiment.noise.model_dump(mode="json")
    return sections


def _knowledge(experiment: Experiment) -> dict[str, Any]:
    """Return the sources of text and vectors, with file names instead of paths."""
    sections: dict[str, Any] = {
        "encoder": explicit_values(experiment.encoder),
        "index": explicit_values(experiment.index),
    }
    if not isinstance(experiment.encoder, VectorFileSettings):
        sections["text"] = {name: explicit_values(source) for name, source in experiment.text}
    for section in (sections["encoder"], *sections.get("text", {}).values()):
        section |= {key: Path(section[key]).name for key in PATH_KEYS if isinstance(section.get(key), str)}
    return sections


def _imported(cell: Cell, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an imported run, and the share of it that was absent."""
    run = run_of(cell)
    origin = {"run": Path(run.run).name, "absent_share": facts.get("absent_share")}
    return {"imported": {**run.model_dump(mode="json", exclude={"name", "seed"}), **origin}}


def _maker(cell: Cell, store: Store) -> dict[str, Any]:
    """Return the sidecar of the training, or of the ranking of an untrained cell.

    Empty when checkpoints were deleted and metrics kept.
    """
    node = cell.nodes.get("train", cell.nodes["rank"])
    return store.get(node.stage, node.hash).sidecar if store.has(node.stage, node.hash) else {}

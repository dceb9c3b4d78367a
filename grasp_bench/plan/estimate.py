"""Estimate the time, memory and disk of a plan, roughly, from measured runs where the store has some.

Work is counted in interactions (guessed from the size of the source file) times the work of the stage per
interaction in one pass; an epoch of a training is a pass. Speed is the median of the stage's sidecars in this
store, without the start, and a training takes as many epochs as trainings of its kind; without sidecars the
constants below apply.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from grasp_bench.components import DATASETS
from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.plan.nodes import Node, asks_service, service_in, service_of
from grasp_bench.spec.locations import locate

BYTES_PER_INTERACTION = 20.0  # a CSV line of two ids and a position or time
PACKED = 4.0  # compression by gzip or Parquet
GENERATED_INTERACTIONS = 15_000
USUAL_EPOCHS = 120  # typical length of a training with early stopping
# Below this work per pass, fixed costs of a stage outweigh its speed.
LEAST_WORK = 5_000

# Seconds per unit of work on one core of an AMD EPYC, mostly measured on amazon-beauty with MiniLM and
# SASRec.
SECONDS = {
    "split": 5e-6,
    "candidates": 1e-7,
    "text": 1e-5,
    "embeddings users": 3e-3,
    "embeddings items": 3e-4,
    "neighbours users": 1.5e-4,
    "neighbours items": 6e-5,
    "train": 1.7e-5,
    "rank": 3.5e-5,
    "control": 1.5e-5,
    "metrics": 5e-6,
}
READ_SECONDS = 1e-5  # per precomputed vector
# For services: seconds per request, and entities per interaction.
ANSWER_SECONDS = {"text": 2.0, "embeddings": 0.5}
ENTITIES = {"users": 0.13, "items": 0.06}
ENHANCED = {"train": 1.6, "rank": 4.6}  # factor of enhancers that read text
START_SECONDS = 0.5
# Megabytes: the libraries of a worker, and per thousand interactions.
BASE_MEMORY = 450.0
MEMORY = {"embeddings": 0.5, "neighbours": 1.5, "train": 1.5, "rank": 1.0}
DISK = {"embeddings": 0.3, "neighbours": 0.35, "train": 0.15, "candidates": 0.1, "rank": 0.05, "text": 0.1}


@dataclass(frozen=True)
class Estimate:
    """Seconds by node hash, wall seconds with the given workers, peak and disk in megabytes.

    `learned` is the share of the time that rests on measurements in this store. `passes` are the expected
    epochs of trainings, by node hash.
    """

    node_seconds: Mapping[str, float]
    seconds: float
    memory_mb: float
    disk_mb: float
    learned: float
    passes: Mapping[str, float]


def interactions_of(plan: Plan) -> dict[str, float]:
    """Guess the number of interactions behind each split, by its hash."""
    found: dict[str, float] = {}
    for cell in plan.cells:
        digest = cell.nodes["split"].hash
        if digest not in found:
            found[digest] = _interactions(cell)
    return found


def work_of(node: Node, interactions: Mapping[str, float]) -> float:
    """Units of work in one pass; `run` writes them to the sidecar for later estimates."""
    work = interactions[_split_of(node).hash]
    return work * node.settings["negatives"] if node.stage == "candidates" else work


def estimate(plan: Plan, to_run: Sequence[Node], store: Store, workers: int) -> Estimate:
    """Estimate what running `to_run` takes, from sidecars only."""
    interactions = interactions_of(plan)
    lessons = _lessons(store, {kind_of_node(node) for node in to_run})
    seconds: dict[str, float] = {}
    passes: dict[str, float] = {}
    learned = memory = disk = 0.0
    for node in to_run:
        work = work_of(node, interactions)
        thousands = interactions[_split_of(node).hash] / 1000
        lesson = lessons.get(kind_of_node(node))
        speed = lesson.speed if lesson else _assumed_speed(node)
        passes[node.hash] = _expected_passes(node, lesson)
        seconds[node.hash] = START_SECONDS + work * speed * passes[node.hash]
        learned += seconds[node.hash] if lesson else 0.0
        memory = max(memory, BASE_MEMORY + MEMORY.get(node.stage, 0.2) * thousands)
        disk += DISK.get(node.stage, 0.02) * thousands
    total = sum(seconds.values())
    share = learned / total if total else 0.0
    wall = wall_seconds(to_run, seconds, workers)
    return Estimate(seconds, wall, memory * min(workers, len(to_run)), disk, share, passes)


def wall_seconds(to_run: Sequence[Node], seconds: Mapping[str, float], workers: int) -> float:
    """Wall time of nodes (inputs first) that take `seconds` each, with so many workers."""
    return max(sum(seconds.values()) / max(1, workers), _longest_path(to_run, seconds))


def _interactions(cell: Cell) -> float:
    dataset = cell.experiment.dataset
    if dataset.source in DATASETS:
        return GENERATED_INTERACTIONS
    path = locate(dataset).interactions
    if path is None:
        return GENERATED_INTERACTIONS
    size = path.stat().st_size / BYTES_PER_INTERACTION
    return max(1.0, size * PACKED if path.suffix in (".gz", ".parquet") else size)


def _split_of(node: Node) -> Node:
    return node if node.stage == "split" else next(n for n in node.ancestors() if n.stage == "split")


def kind_of_node(node: Node) -> tuple[str, ...]:
    """Return the kind of a node."""
    return kind_of(node.stage, node.settings)


def kind_of(stage: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the kind of a node by its settings; nodes of one kind are equally fast per unit of work."""
    model = settings.get("model", {})
    encoder = settings.get("encoder", {})
    parts = [settings.get("control"), settings.get("side"), encoder.get("kind"), encoder.get("model")]
    parts += [model.get(key) for key in ("backbone", "enhancer", "embedding_dim")]
    if stage == "text" and (service := service_in(stage, settings)) is not None:
        parts += [service["provider"], service["model"]]
    return stage, *(str(part) for part in parts if part is not None)


@dataclass(frozen=True)
class _Lesson:
    """Median seconds per unit of work and pass, and median passes of early-stopped trainings."""

    speed: float
    passes: float | None


def _lessons(store: Store, kinds: set[tuple[str, ...]]) -> dict[tuple[str, ...], _Lesson]:
    speeds: dict[tuple[str, ...], list[float]] = defaultdict(list)
    passes: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for stage in {kind[0] for kind in kinds}:
        for artefact in store.artefacts(stage):
            sidecar = artefact.sidecar
            kind, speed = kind_of(stage, sidecar.get("settings", {})), _measured_speed(sidecar)
            if kind not in kinds or speed is None:
                continue
            speeds[kind].append(speed)
            facts = sidecar.get("facts", {})
            if facts.get("stopped") == "early":
                passes[kind].append(facts["epochs"])
    return {
        kind: _Lesson(statistics.median(found), statistics.median(passes[kind]) if passes[kind] else None)
        for kind, found in speeds.items()
    }


def _measured_speed(sidecar: Mapping[str, Any]) -> float | None:
    """Seconds per unit of work and pass; None for too little work."""
    seconds, work = sidecar.get("seconds"), sidecar.get("work_per_pass")
    epochs = sidecar.get("facts", {}).get("epochs", 1)
    if not (_positive(seconds) and _positive(work) and _positive(epochs)) or work < LEAST_WORK:
        return None
    return max(0.0, seconds - START_SECONDS) / (work * epochs)


def _expected_passes(node: Node, lesson: _Lesson | None) -> float:
    if node.stage != "train":
        return 1
    usual = lesson.passes if lesson and lesson.passes else USUAL_EPOCHS
    return min(float(node.settings["training"]["max_epochs"]), usual)


def _positive(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


def _assumed_speed(node: Node) -> float:
    enhancer = node.settings.get("model", {}).get("enhancer")
    if node.stage == "rank":
        enhancer = node.inputs["train"].settings["model"]["enhancer"]
    if node.settings.get("encoder", {}).get("kind") == "precomputed":
        return READ_SECONDS
    if asks_service(node):
        service = service_of(node)
        at_once = service["concurrency"] * service.get("batch_size", 1)
        return float(ENTITIES[node.settings["side"]] * ANSWER_SECONDS[node.stage] / at_once)
    sided = f"{node.stage} {node.settings.get('side')}"
    speed = SECONDS.get(sided) or SECONDS.get(node.stage, 1e-5)
    return speed * (1.0 if enhancer in (None, "none") else ENHANCED[node.stage])


def _longest_path(to_run: Sequence[Node], seconds: Mapping[str, float]) -> float:
    """Seconds of the longest chain of nodes, which more workers do not shorten."""
    ends: dict[str, float] = {}
    for node in to_run:  # inputs come first
        before = max((ends.get(upstream.hash, 0.0) for upstream in node.inputs.values()), default=0.0)
        ends[node.hash] = before + seconds[node.hash]
    return max(ends.values(), default=0.0)

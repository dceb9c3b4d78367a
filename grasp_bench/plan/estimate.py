"""Estimate the time, memory and disk of a plan, roughly, from measured runs where the store has some.

A node takes the seconds that `plan.work` assumes for its size and settings, times a ratio of measured to
assumed seconds. The ratio is learnt from sidecars of this store: from those made on this machine, of the
stage, of the same backbone and enhancer, and so on to the same kind, each correcting the more general one by
as much as was measured. So one training also teaches how fast others are. Trainings count with the epochs
that trainings alike took to their best one, and then their own patience.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import nlargest
from statistics import median
from typing import Any

from grasp_bench.components import LOSSES
from grasp_bench.core import machine
from grasp_bench.core.integrity import sidecar_if_whole
from grasp_bench.core.store import Store
from grasp_bench.plan.compile import Plan
from grasp_bench.plan.local_models import (
    Asked,
    LocalWork,
    Speeds,
    encoder_size,
    learn,
    local_name,
    local_work,
    probed_speeds,
)
from grasp_bench.plan.nodes import STAGE_VERSIONS, Node, asks_service
from grasp_bench.plan.sizes import Sizes, sizes_in, sizes_of, split_of
from grasp_bench.plan.work import Work, kind_of, memory_of, work_of

START_SECONDS = 8.0  # of a run: workers import torch, and the board is made
MOST_LESSONS = 50  # latest artefacts of a stage
# In seconds of assumed work: so much measured work counts as much as the more general ratio, and a single
# artefact counts no more than so much, since it may have waited for a download or another process.
TRUST, MOST_TRUST = 2.0, 10.0
# Epochs to the best one where no training is known: with one negative, and with more.
USUAL_BEST = {"bce": 80}
USUAL_BEST_ELSE = 20
# Megabytes: the libraries of a worker, and per thousand interactions.
BASE_MEMORY = 450.0
MEMORY = {"embeddings": 0.5, "neighbours": 1.5, "train": 1.5, "rank": 1.0}
DISK = {"embeddings": 0.3, "neighbours": 0.35, "train": 0.15, "candidates": 0.1, "rank": 0.05, "text": 0.1}


@dataclass(frozen=True)
class Estimate:
    """Seconds by node hash, wall seconds with the given workers, peak and disk in megabytes.

    `learned` is the share of the time of nodes whose kind this store has measured on this machine. `passes`
    are the expected epochs of trainings, by node hash; `local` what texts of models in this process take.
    """

    node_seconds: Mapping[str, float]
    seconds: float
    memory_mb: float
    disk_mb: float
    learned: float
    passes: Mapping[str, float]
    local: Mapping[str, LocalWork] = field(default_factory=dict)


def estimate(
    plan: Plan, to_run: Sequence[Node], store: Store, workers: int, device: str = "cpu",
    asked: Mapping[str, Asked] | None = None,
) -> Estimate:  # fmt: skip
    """Estimate what running `to_run` takes, from sidecars and the beginnings of data files only.

    `asked` are requests of nodes, by hash, that somebody has counted.
    """
    sizes, lessons = sizes_of(plan, store), Lessons(store, machine.describe(device))
    seconds: dict[str, float] = {}
    passes: dict[str, float] = {}
    local: dict[str, LocalWork] = {}
    learned = memory = disk = 0.0
    for node in to_run:
        size = sizes[split_of(node).hash]
        work, passes[node.hash] = work_of(node, size), lessons.passes(node)
        seconds[node.hash] = (work.once + work.each * passes[node.hash]) * lessons.ratio(node)
        known, loaded = lessons.knows(node), encoder_size(node)
        own = 0.0 if loaded is None else loaded.parameters * 4 / 1e6
        if local_name(node) is not None:
            rows = Asked(size.users if node.settings["side"] == "users" else size.items)
            requests = (asked or {}).get(node.hash, rows)
            found = local[node.hash] = local_work(node, requests, lessons.speeds, device, lessons.machine)
            known, own, seconds[node.hash] = found.measured, found.memory_mb, found.seconds
        learned += seconds[node.hash] if known else 0.0
        data = MEMORY.get(node.stage, 0.2) * size.interactions / 1000
        memory = max(memory, BASE_MEMORY + data + memory_of(node) + own)
        disk += DISK.get(node.stage, 0.02) * size.interactions / 1000
    total = sum(seconds.values())
    wall = START_SECONDS * lessons.machine + wall_seconds(to_run, seconds, workers) if to_run else 0.0
    share = learned / total if total else 0.0
    return Estimate(seconds, wall, memory * min(workers, len(to_run)), disk, share, passes, local)


def wall_seconds(to_run: Sequence[Node], seconds: Mapping[str, float], workers: int) -> float:
    """Wall time of nodes (inputs first) that take `seconds` each, with so many workers."""
    return max(sum(seconds.values()) / max(1, workers), _longest_path(to_run, seconds))


class Lessons:
    """What the latest artefacts of a store tell of speed and of epochs.

    Args:
        here: the machine, as sidecars describe it. Speeds of others are not learnt from.
    """

    def __init__(self, store: Store, here: str) -> None:
        self._measured: dict[tuple[str, ...], list[tuple[float, float]]] = defaultdict(list)
        self._trainings: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
        self.speeds: Speeds = probed_speeds(store, here)
        for node, sidecar, size in _History(store).lessons():
            with suppress(KeyError):  # an earlier version, whose settings or facts said less
                self._learn(node, sidecar, work_of(node, size), sidecar.get("machine") == here)

    def _learn(self, node: Node, sidecar: Mapping[str, Any], work: Work, here: bool) -> None:
        facts, epochs = sidecar["facts"], 1
        if node.stage == "train":
            epochs = facts["epochs"]
            told = {key: facts[key] for key in ("epochs", "best_epoch", "stopped")}
            for level in _alike(node):
                self._trainings[level].append(told)
        if here and local_name(node) is not None:
            learn(self.speeds, node, facts)
        elif here:
            assumed = work.once + work.each * epochs
            for level in _levels(node):
                self._measured[level].append((sidecar["seconds"] / assumed, min(assumed, MOST_TRUST)))

    def knows(self, node: Node) -> bool:
        """Return True when a node of its kind was measured here."""
        return _levels(node)[-1] in self._measured

    @property
    def machine(self) -> float:
        """Measured by assumed seconds of all nodes here."""
        return self._ratio([()])

    def ratio(self, node: Node) -> float:
        """Return measured by assumed seconds for nodes like this one; 1 where nothing was measured."""
        return self._ratio(_levels(node))

    def _ratio(self, levels: Sequence[tuple[str, ...]]) -> float:
        ratio = 1.0
        for level in levels:
            if measured := self._measured.get(level):
                weight = sum(weight for _, weight in measured)
                ratio = (_weighted_median(measured) * weight + ratio * TRUST) / (weight + TRUST)
        return ratio

    def passes(self, node: Node) -> float:
        """Return the epochs that a training may take; 1 for other nodes."""
        if node.stage != "train":
            return 1.0
        training = node.settings["training"]
        most, patience = training["max_epochs"], training["patience"] * training["eval_every"]
        usual = (
            USUAL_BEST.get(training.get("loss", {}).get("kind", LOSSES.default), USUAL_BEST_ELSE) + patience
        )
        alike = next((self._trainings[level] for level in _alike(node) if level in self._trainings), [])
        lengths = [
            each["best_epoch"] + patience if each["stopped"] == "early" else max(usual, each["epochs"])
            for each in alike
        ]
        return float(min(most, median(lengths) if lengths else usual))


def _levels(node: Node) -> list[tuple[str, ...]]:
    """Return the beginnings of a node's kind, the general first: nodes of each are more alike.

    The speed of a service is not that of the machine, so that nothing else is learnt from it.
    """
    kind = kind_of(node)
    first = len(kind) if asks_service(node) else 0
    return [kind[:length] for length in range(first, len(kind) + 1)]


def _alike(node: Node) -> list[tuple[str, ...]]:
    """Return groups of trainings, those first whose epochs tell most of this one's."""
    split, kind = split_of(node).hash, kind_of(node)
    return [(split, *kind), kind, (split,), ()]


class _History:
    """Finished artefacts of a store as nodes again, so that their work is that of planned ones."""

    def __init__(self, store: Store) -> None:
        self._store = store
        stages = [store.root / stage for stage in STAGE_VERSIONS]
        folders = [path for stage in stages if stage.is_dir() for path in stage.iterdir() if not path.suffix]
        self._folders = {path.name: path for path in folders}
        self._nodes: dict[str, tuple[Node, dict[str, Any]] | None] = {}

    def lessons(self) -> Iterator[tuple[Node, dict[str, Any], Sizes]]:
        """Yield node, sidecar and sizes of the latest artefacts of each stage, where all are known."""
        by_stage: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for name, folder in self._folders.items():
            with suppress(OSError):
                by_stage[folder.parent.name].append((folder.stat().st_mtime, name))
        for dated in by_stage.values():
            for _, name in nlargest(MOST_LESSONS, dated):
                made = self._made(name)
                if made is not None and _is_positive(made[1].get("seconds")):
                    size = sizes_in(self._store, split_of(made[0]).hash)
                    if size is not None:
                        yield *made, size

    def _made(self, name: str) -> tuple[Node, dict[str, Any]] | None:
        """Return the node of an artefact; None if it or something it was made from is gone or damaged."""
        if name not in self._nodes:
            self._nodes[name] = self._read(name)
        return self._nodes[name]

    def _read(self, name: str) -> tuple[Node, dict[str, Any]] | None:
        folder = self._folders.get(name)
        sidecar = None if folder is None else sidecar_if_whole(folder)
        if folder is None or sidecar is None:
            return None
        inputs = {role: self._made(upstream) for role, upstream in sidecar.get("inputs", {}).items()}
        nodes = {role: made[0] for role, made in inputs.items() if made is not None}
        if len(nodes) < len(inputs):
            return None
        node = Node(
            folder.parent.name, sidecar.get("settings", {}), nodes, name, sidecar.get("label", ""),
            sidecar.get("places", {}),
        )  # fmt: skip
        return node, sidecar


def _weighted_median(values: Sequence[tuple[float, float]]) -> float:
    """Return the value, of (value, weight), with half of the weight on either side."""
    ordered, total = sorted(values), 0.0
    half = sum(weight for _, weight in values) / 2
    for value, weight in ordered:
        total += weight
        if total >= half:
            return value
    return ordered[-1][0]


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


def _longest_path(to_run: Sequence[Node], seconds: Mapping[str, float]) -> float:
    """Seconds of the longest chain of nodes, which more workers do not shorten."""
    ends: dict[str, float] = {}
    for node in to_run:  # inputs come first
        before = max((ends.get(upstream.hash, 0.0) for upstream in node.inputs.values()), default=0.0)
        ends[node.hash] = before + seconds[node.hash]
    return max(ends.values(), default=0.0)

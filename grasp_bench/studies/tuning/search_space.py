"""Describe what a search varies: the base cell of a spec, the points of its space, a point's trainings."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.trial import Trial

from grasp_bench.components import SAMPLERS
from grasp_bench.core.errors import SpecError
from grasp_bench.core.hashing import content_hash
from grasp_bench.core.store import Store
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.plan.fingerprints import Fingerprint
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.experiment import Experiment, Tuning
from grasp_bench.spec.patches import apply_patch
from grasp_bench.spec.tuning_space import Choice, Dimension, Range, space_of

# What a spec asks besides its base cell, and the value that asks for nothing.
NOT_SEARCHED: dict[str, Any] = {
    "compare": {}, "ablations": {}, "noise": None, "controls": (), "imported": (), "hypotheses": (),
    "published": None, "tuning": None, "tuned": {},
}  # fmt: skip
TOLD = ("compare", "ablations", "noise", "imported")


@dataclass(frozen=True)
class Base:
    """The cell that is searched, for all seeds, its `tuning` section, and the sections that are not searched.

    It is the spec's base cell, or with `each: method` a compared `method`. `first` is the point that is tried
    first, the method's own values; None where the sampler chooses it.
    """

    experiment: Experiment
    tuning: Tuning
    left_out: tuple[str, ...]
    method: str | None = None
    first: Mapping[str, Any] | None = None

    @property
    def needs_choices(self) -> bool:
        """Whether all points are queued before the search."""
        return SAMPLERS.get(self.tuning.sampler).needs_choices

    @property
    def space(self) -> dict[str, Dimension]:
        """The dimension of every searched key."""
        return space_of(self.tuning)


def base_of(experiment: Experiment, spec: str) -> Base:
    """The base cell of a spec; SpecError when it has no `tuning` section."""
    if experiment.tuning is None:
        example = "tuning: {space: {index.num_neighbours: [1, 50]}}"
        raise SpecError([f"{spec} tuning: required key is missing; for example {example}"])
    left_out = tuple(name for name in TOLD if getattr(experiment, name))
    searched = experiment.model_copy(
        update={**NOT_SEARCHED, "seeds": seeds_of(experiment, experiment.tuning)}
    )
    return Base(searched, experiment.tuning, left_out)


def seeds_of(experiment: Experiment, tuning: Tuning) -> tuple[int, ...]:
    """The seeds of each trial's trainings."""
    return tuning.trial_seeds or experiment.first_seeds


def plan_of(base: Base, params: Mapping[str, Any], fingerprint: Fingerprint) -> Plan:
    """The cells of one point, a seed each; SpecError when its values do not go together."""
    return compile_plan(apply_patch(base.experiment, params), fingerprint)


def trainings(plan: Plan) -> dict[int, Node]:
    """The node of each seed's training, the last that a trial makes."""
    return {cell.seed: cell.nodes["train"] for cell in plan.cells if cell.seed is not None}


def absent(node: Node, store: Store) -> list[Node]:
    """List what has to be made for a node, inputs first; empty when it is there."""
    found: dict[str, Node] = {}

    def want(node: Node) -> None:
        if node.hash in found or store.has(node.stage, node.hash):
            return
        for upstream in node.inputs.values():
            want(upstream)
        found[node.hash] = node

    want(node)
    return list(found.values())


def identity(base: Base, fingerprint: Fingerprint) -> str:
    """Hash of what makes trials comparable: the base's trainings and the space."""
    hashes = [node.hash for node in trainings(plan_of(base, {}, fingerprint)).values()]
    return content_hash([hashes, base.tuning.model_dump(mode="json")["space"]])


def ineffective_keys(base: Base, fingerprint: Fingerprint) -> list[str]:
    """Searched keys that change nothing of the base cell by themselves, as N does without neighbours."""
    return [
        key for key, dimension in base.space.items() if _is_ineffective(base, key, dimension, fingerprint)
    ]


def _is_ineffective(base: Base, key: str, dimension: Dimension, fingerprint: Fingerprint) -> bool:
    values = dimension.values if isinstance(dimension, Choice) else (dimension.low, dimension.high)
    seen = set()
    for value in values:
        try:
            plan = plan_of(base, {key: int(value) if _whole(dimension) else value}, fingerprint)
        except SpecError:  # another key may have to change with it
            return False
        seen.add(next(iter(trainings(plan).values())).hash)
    return len(seen) == 1 and len(values) > 1


def _whole(dimension: Dimension) -> bool:
    return not isinstance(dimension, Choice) and dimension.whole


Point = dict[str, Any]


def ask(trial: Trial, space: Mapping[str, Dimension]) -> Point:
    """The values of a trial, as the spec writes them."""
    return decoded({key: _suggest(trial, key, space[key]) for key in space}, space)


def _suggest(trial: Trial, key: str, dimension: Dimension) -> Any:
    if isinstance(dimension, Choice):
        return trial.suggest_categorical(key, [encoded(value) for value in dimension.values])
    if dimension.whole:
        return trial.suggest_int(key, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(key, dimension.low, dimension.high, log=dimension.log)


def encoded(value: Any) -> Any:
    """A value as a storage keeps it: lists and mappings, which it cannot, as their JSON."""
    return json.dumps(value, sort_keys=True) if isinstance(value, list | tuple | dict) else value


def decoded(params: Mapping[str, Any], space: Mapping[str, Dimension]) -> Point:
    """Values as the spec writes them, in the order of the space, as far as a trial has come to them."""
    return {key: _decode(params[key], space[key]) for key in space if key in params}


def _decode(kept: Any, dimension: Dimension) -> Any:
    if isinstance(dimension, Range):
        return kept
    return next((value for value in dimension.values if encoded(value) == kept), kept)


def grid(space: Mapping[str, Dimension], base: Mapping[str, Any]) -> list[Point]:
    """All points of a space of choices, from the spec's own values outwards.

    Those that differ from them in the fewest keys come first: after the point itself the curves of each
    key alone, so that a search that ends early has whole curves rather than scattered points.
    """
    choices = [dimension.values for dimension in space.values() if isinstance(dimension, Choice)]
    points = [dict(zip(space, values, strict=True)) for values in itertools.product(*choices)]
    return sorted(points, key=lambda point: sum(point[key] != base.get(key) for key in point))


def short(point: Mapping[str, Any]) -> str:
    """`num_neighbours 10, embedding_dim 64`: keys by their last part, where that tells them apart."""
    names = [key.rpartition(".")[2] for key in point]
    return ", ".join(
        f"{name if names.count(name) == 1 else key} {_number(value)}"
        for (key, value), name in zip(point.items(), names, strict=True)
    )


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(encoded(value))

"""What a search varies: the base cell of a spec, and the trainings that a point of the space asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grasp_bench.core.errors import SpecError
from grasp_bench.core.hashing import content_hash
from grasp_bench.core.store import Store
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.plan.fingerprints import Fingerprint
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.patches import apply_patch
from grasp_bench.spec.tuning import Tuning
from grasp_bench.spec.tuning_space import Choice, Dimension, space_of

# What a spec asks besides its base cell, and the value that asks for nothing.
BESIDES: dict[str, Any] = {
    "compare": {}, "ablations": {}, "noise": None, "controls": (), "imported": (), "hypotheses": (),
    "published": None, "tuning": None,
}  # fmt: skip
TOLD = ("compare", "ablations", "noise", "imported")


@dataclass(frozen=True)
class Base:
    """The spec's base cell for all seeds, its `tuning` section, and the sections that are not searched."""

    experiment: Experiment
    tuning: Tuning
    left_out: tuple[str, ...]

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
    return Base(experiment.with_first_seeds().model_copy(update=BESIDES), experiment.tuning, left_out)


def plan_of(base: Base, params: Mapping[str, Any], fingerprint: Fingerprint) -> Plan:
    """The cells of one point, a seed each; SpecError when its values do not go together."""
    return compile_plan(apply_patch(base.experiment, params), fingerprint)


def trainings(plan: Plan) -> dict[int, Node]:
    """The node of each seed's training, the last that a trial makes."""
    return {cell.seed: cell.nodes["train"] for cell in plan.cells if cell.seed is not None}


def absent(node: Node, store: Store) -> list[Node]:
    """What has to be made for a node, inputs first, itself last; nothing when it is there."""
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


def idle_keys(base: Base, fingerprint: Fingerprint) -> list[str]:
    """Searched keys that change nothing of the base cell by themselves, as N does without neighbours."""
    return [key for key, dimension in base.space.items() if _is_idle(base, key, dimension, fingerprint)]


def _is_idle(base: Base, key: str, dimension: Dimension, fingerprint: Fingerprint) -> bool:
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

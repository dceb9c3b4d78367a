"""Which requests compute the same, and which compared keys made no difference to them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from grasp_bench.plan.graph import NOISE_STAGES
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.noise import Noise

# Compared keys that have a column and a place in the slug of their own.
NAMED_KEYS = ("model.backbone", "model.enhancer")

Kind = Literal["trained", "control", "imported"]


@dataclass(frozen=True)
class Request:
    """One crossing of compared values, ablation and seed, before it is known what it computes.

    `experiment` has the patches applied, `compared` are the values as crossed. `without` are the
    compared keys that do not tell this request from others: its ablation overrides them, say. A row that no
    model stands behind has a `name`, and no seed unless its maker says so. `noise` is what the spec asks for,
    at one rate; that of a control is in its `experiment` alone.
    """

    experiment: Experiment
    ablation: str | None
    compared: Mapping[str, Any]
    seed: int | None
    without: frozenset[str] = field(default=frozenset())
    kind: Kind = "trained"
    name: str | None = None
    noise: Noise | None = None

    @property
    def variant(self) -> dict[str, Any]:
        """The compared keys that tell it from others, backbone and enhancer aside."""
        return {
            key: value
            for key, value in self.compared.items()
            if key not in NAMED_KEYS and key not in self.without
        }


def kept(group: Sequence[Request], choices: Mapping[str, int]) -> Request:
    """The first of the requests that compute the same, without the keys that made no difference.

    `choices` says how many values each compared key has. Only requests of its own ablation tell: of a base
    with `attention: softmax` and an ablation that sets softmax, the base keeps what it is known by.
    """
    first = group[0]
    if len(group) == 1:
        return first
    # Requests of one crossing (other seeds, controls made of it) share the mapping.
    crossings = {id(each.compared): each.compared for each in group if each.ablation == first.ablation}
    same = {tuple((key, _text(value)) for key, value in each.items()) for each in crossings.values()}
    idle = {key for key, count in choices.items() if _makes_no_difference(key, count, same)}
    return replace(first, without=first.without | idle)


def choices_of(experiment: Experiment) -> dict[str, int]:
    """How many different values each compared key has."""
    return {key: len({_text(value) for value in values}) for key, values in experiment.compare.items()}


def without_idle_noise(request: Request, nodes: Iterable[Node]) -> Request:
    """The request as it is known by: without noise where its nodes make none, for it reads nothing hit."""
    if any(node.stage in NOISE_STAGES for node in nodes):
        return request
    return replace(request, noise=None, experiment=request.experiment.model_copy(update={"noise": None}))


def _makes_no_difference(key: str, choices: int, crossed: Collection[tuple[tuple[str, str], ...]]) -> bool:
    """True when all values of the key are here, each with everything else that is here.

    Nothing less will do: dropped from `5, 10 and 20` where only 5 and 10 compute the same, the key
    would seem idle beside 20 too, and two cells could come to be known by the same coordinates.
    """
    if choices < 2 or len(crossed) < choices:
        return False
    others = {tuple(part for part in each if part[0] != key) for each in crossed}
    return len(crossed) == choices * len(others)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)

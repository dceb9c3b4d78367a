"""Points of a space: as Optuna keeps them, and the order in which a grid is gone through."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

from optuna.trial import Trial

from grasp_bench.spec.tuning_space import Choice, Dimension, Range

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
    return f"{value:.4g}" if isinstance(value, float) else str(value)

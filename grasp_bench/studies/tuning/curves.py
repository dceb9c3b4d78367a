"""Curves of one key and contours of two, read off complete trials."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from grasp_bench.report.findings.tuning import Contour, Curve, CurvePoint, Trial
from grasp_bench.stats.intervals import half_width

MOST_VALUES = 50  # on an axis of a contour


def interval_width(trials: Sequence[Trial], seeds: Sequence[int]) -> float | None:
    """Half the width of the interval of each point of a curve, from those that have all seeds."""
    table = [
        [trial["values"][str(seed)] for seed in seeds]
        for trial in trials
        if all(str(seed) in trial["values"] for seed in seeds)
    ]
    return half_width(table) if table else None


def curves(
    complete: Sequence[Trial], best: Trial, own: Mapping[str, Any], seeds: Sequence[int]
) -> list[Curve]:
    """Each key against the metric, the others as in the best trial or as the spec has them.

    Of the two the one with more points is taken. Where neither has two (a sampler that moves all keys at
    once), a point is the best that was found at a value, and nothing is fixed.
    """
    found = []
    for key in best["params"]:
        along = [
            (others, _along(complete, key, others))
            for others in (_without(best["params"], key), _without(own, key))
        ]
        fixed, trials = max(along, key=lambda each: len(each[1]))
        if len(trials) < 2:
            fixed, trials = {}, _best_at_each(complete, key)
        width = interval_width(trials, seeds)
        found.append(Curve(key=key, fixed=fixed, points=[_point(key, trial, width) for trial in trials]))
    return found


def contours(complete: Sequence[Trial], keys: Sequence[str]) -> list[Contour]:
    """Two keys against the best value that was found there, whatever the others were."""
    return [
        _contour(complete, x_key, y_key)
        for x_key, y_key in itertools.combinations(keys, 2)
        if complete and max(len(_axis(complete, x_key)), len(_axis(complete, y_key))) <= MOST_VALUES
    ]


def _contour(complete: Sequence[Trial], x_key: str, y_key: str) -> Contour:
    x, y = _axis(complete, x_key), _axis(complete, y_key)
    z: list[list[float | None]] = [[None] * len(x) for _ in y]
    for trial in complete:
        i, j = x.index(trial["params"][x_key]), y.index(trial["params"][y_key])
        value, known = trial["value"], z[j][i]
        if value is not None and (known is None or value > known):
            z[j][i] = value
    return Contour(x_key=x_key, y_key=y_key, x=x, y=y, z=z)


def _along(complete: Sequence[Trial], key: str, others: Mapping[str, Any]) -> list[Trial]:
    """The trials with just these other values, by the value of the key."""
    return _by_value(
        [trial for trial in _distinct(complete) if _without(trial["params"], key) == others], key
    )


def _best_at_each(complete: Sequence[Trial], key: str) -> list[Trial]:
    best: dict[str, Trial] = {}
    for trial in complete:
        at = json.dumps(trial["params"][key])
        if at not in best or (trial["value"] or 0.0) > (best[at]["value"] or 0.0):
            best[at] = trial
    return _by_value(list(best.values()), key)


def _point(key: str, trial: Trial, width: float | None) -> CurvePoint:
    mean = trial["value"] or 0.0
    low, high = (None, None) if width is None else (max(0.0, mean - width), min(1.0, mean + width))
    return CurvePoint(x=trial["params"][key], mean=mean, low=low, high=high, seeds=len(trial["values"]))


def _distinct(trials: Sequence[Trial]) -> list[Trial]:
    """Each point once: the same trainings are one observation, however often they were asked for."""
    return list({json.dumps(trial["params"], sort_keys=True): trial for trial in trials}.values())


def _axis(trials: Sequence[Trial], key: str) -> list[Any]:
    return [trial["params"][key] for trial in _best_at_each(trials, key)]


def _by_value(trials: Sequence[Trial], key: str) -> list[Trial]:
    """Numbers upwards, words as they came."""
    values = [trial["params"][key] for trial in trials]
    if all(isinstance(value, int | float) for value in values):
        return sorted(trials, key=lambda trial: trial["params"][key])
    return list(trials)


def _without(params: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name != key}

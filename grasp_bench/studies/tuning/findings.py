"""Collect what a search found: trials, curves of one key, contours of two, and the importance of keys."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from grasp_bench.spec.loading import resolved_values
from grasp_bench.spec.locations import locate
from grasp_bench.stats.intervals import half_width
from grasp_bench.studies.tuning.samplers import EPOCHS
from grasp_bench.studies.tuning.schema import Contour, Curve, CurvePoint, Trial, Tuning
from grasp_bench.studies.tuning.search_space import Base, decoded, short
from grasp_bench.studies.tuning.storage import MESSAGE, counts, left, running, trial_params
from grasp_bench.studies.tuning.trials import SECONDS, STOPPED, VALUES

STATES: Mapping[TrialState, Any] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
FEWEST_FOR_IMPORTANCE = 4


def tuning_of(base: Base, study: Study, total: int, idle: Sequence[str]) -> Tuning:
    """Collect the findings of a search, as far as it has come."""
    ended = [t for t in study.get_trials(deepcopy=False) if counts(t) and t.state in STATES]
    trials = [_trial(each, base) for each in ended]
    complete = [trial for trial in trials if trial["state"] == "complete"]
    best = max(complete, key=lambda trial: (trial["value"] or 0.0, -trial["number"]), default=None)
    seeds = list(base.experiment.first_seeds)
    own = {key: value for key, value in resolved_values(base.experiment).items() if key in base.space}
    return Tuning(
        spec=base.experiment.name,
        study=study.study_name,
        sampler=base.tuning.sampler,
        metric=base.experiment.training.monitor,
        protocol=base.experiment.training.monitor_protocol,
        dataset=locate(base.experiment.dataset).name,
        seeds=seeds,
        space={key: list(values) for key, values in base.tuning.space.items()},
        trials=trials,
        best=best,
        importance=_importance(study, base, complete),
        curves=curves(complete, best, own, seeds) if best else [],
        contours=contours(complete, list(base.space)),
        notes=_notes(base, study, total, ended, idle),
    )


def _trial(kept: FrozenTrial, base: Base) -> Trial:
    told = kept.user_attrs
    done = kept.state == TrialState.COMPLETE
    return Trial(
        number=kept.number,
        state=STATES[kept.state],
        params=decoded(trial_params(kept), base.space),
        value=kept.value if done else None,
        values=dict(told.get(VALUES, {})),
        epochs=told.get(EPOCHS, 0),
        seconds=told.get(SECONDS, 0.0),
    )


def _importance(study: Study, base: Base, complete: Sequence[Trial]) -> dict[str, float]:
    """What keys explain alone of the variance over the space, as shares of their sum, highest first; empty of
    a few trials."""
    if len(complete) < FEWEST_FOR_IMPORTANCE or len({trial["value"] for trial in complete}) < 2:
        return {}
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances  # with scikit-learn

    # Optuna's own default, PED-ANOVA, compares the best tenth with the rest, and wants fifty trials for it.
    evaluator = FanovaImportanceEvaluator(seed=0)
    found = get_param_importances(study, evaluator=evaluator, params=list(base.space))
    return {key: round(float(share), 4) for key, share in found.items()}


def _notes(
    base: Base, study: Study, total: int, ended: Sequence[FrozenTrial], idle: Sequence[str]
) -> list[str]:
    model, tuning = base.experiment.model, base.tuning
    notes = [
        f"Trials are of {model.backbone}-{model.enhancer}; the value of one is the mean over "
        f"{_plural(len(base.experiment.first_seeds), 'seed')} of its best validation "
        f"{base.experiment.training.monitor}. No test item was read: test figures come by `grasp-bench run`.",
        "Intervals (95 %) tell the points of a curve apart: spread over seeds, pooled over the points, less "
        "what a seed adds to all of them (Loftus and Masson 1994).",
    ]
    if base.left_out:
        notes.append(f"Not searched: what the spec says under {', '.join(base.left_out)}.")
    notes += [f"{key} alone changes nothing of the base cell." for key in idle]
    if ended_open := left(study, total):
        notes.append(f"{total - ended_open} of {_plural(total, 'trial')} begun; the same command goes on.")
    if at_work := running(study):
        notes.append(f"{_plural(at_work, 'trial')} still running elsewhere.")
    if tuning.pruner != "none":
        pruned = sum(trial.state == TrialState.PRUNED for trial in ended)
        notes.append(f"{_plural(pruned, 'trial')} pruned ({tuning.pruner}), by the curve of the first seed.")
    stopped = [how for trial in ended for how in trial.user_attrs.get(STOPPED, ())]
    if limited := stopped.count("max_epochs"):
        notes.append(
            f"{limited} of {_plural(len(stopped), 'training')} ended at the limit of epochs, not by early "
            "stopping: with more, they might come out higher."
        )
    for trial in ended:
        if MESSAGE in trial.user_attrs:
            point = short(decoded(trial_params(trial), base.space))
            notes.append(f"Trial {trial.number} ({point}) failed: {trial.user_attrs[MESSAGE]}")
    return notes


def _plural(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


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
    """Make a curve of each key, the others as in the best trial or as in the spec.

    The one with more points is taken. Where neither has two (a sampler that moves all keys at
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
        found.append(
            Curve(key=key, fixed=fixed, points=[_curve_point(key, trial, width) for trial in trials])
        )
    return found


def contours(complete: Sequence[Trial], keys: Sequence[str]) -> list[Contour]:
    """Make a grid of every two keys: the best value found there, whatever the other keys were."""
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


def _curve_point(key: str, trial: Trial, width: float | None) -> CurvePoint:
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

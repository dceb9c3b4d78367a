"""What a search found, in the shape that reports read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from grasp_bench.report.findings.tuning import Trial, Tuning
from grasp_bench.spec.locations import locate
from grasp_bench.spec.provenance import resolved
from grasp_bench.studies.tuning.base import Base
from grasp_bench.studies.tuning.bookkeeping import MESSAGE, counts, kept_params, left, running
from grasp_bench.studies.tuning.curves import contours, curves
from grasp_bench.studies.tuning.points import decoded, short
from grasp_bench.studies.tuning.pruning import EPOCHS
from grasp_bench.studies.tuning.trials import SECONDS, STOPPED, VALUES

STATES: Mapping[TrialState, Any] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
FEWEST_FOR_IMPORTANCE = 4


def tuning_of(base: Base, study: Study, total: int, idle: Sequence[str]) -> Tuning:
    """Everything that is shown of a search, as far as it has come."""
    ended = [t for t in study.get_trials(deepcopy=False) if counts(t) and t.state in STATES]
    trials = [_trial(each, base) for each in ended]
    complete = [trial for trial in trials if trial["state"] == "complete"]
    best = max(complete, key=lambda trial: (trial["value"] or 0.0, -trial["number"]), default=None)
    seeds = list(base.experiment.first_seeds)
    own = {key: value for key, value in resolved(base.experiment).items() if key in base.space}
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
        params=decoded(kept_params(kept), base.space),
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
            point = short(decoded(kept_params(trial), base.space))
            notes.append(f"Trial {trial.number} ({point}) failed: {trial.user_attrs[MESSAGE]}")
    return notes


def _plural(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"

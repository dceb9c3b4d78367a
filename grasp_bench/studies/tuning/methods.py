"""Search every compared method with the same budget (`tuning: {each: method}`), one after the other.

A method is a backbone, an enhancer and an ablation. Each is searched with the same number of trials, the same
seeds of trainings and of the sampler; its own values are the first trial, so that the gain of tuning is
measured. The keys are those its components declare (`space` of their settings) and those of `tuning.space`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from grasp_bench.components import BACKBONES, ENHANCERS
from grasp_bench.core import atomic, hashing
from grasp_bench.core.errors import SpecError
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import compile_plan
from grasp_bench.plan.fingerprints import Fingerprint, Fingerprints, cache_file
from grasp_bench.report.renderers.markdown import document_text
from grasp_bench.spec.experiment import Experiment, Tuning
from grasp_bench.spec.loading import LoadedSpec, resolved_values
from grasp_bench.spec.section import WIDTH_AND_DROPOUT
from grasp_bench.spec.training import Training
from grasp_bench.spec.tuning_space import Choice, Dimension, dimension_of
from grasp_bench.studies.tuning.methods_report import lay_out_method_tuning
from grasp_bench.studies.tuning.methods_schema import MethodSearch, MethodTuning, expected_best
from grasp_bench.studies.tuning.schema import Trial
from grasp_bench.studies.tuning.search import SearchOptions, searched
from grasp_bench.studies.tuning.search_space import (
    NOT_SEARCHED,
    Base,
    base_of,
    ineffective_keys,
    plan_of,
    seeds_of,
    trainings,
)

FILE = "method_tuning.json"
# What a plan of methods leaves out: `compare` and `ablations` make the methods.
NOT_A_METHOD = {
    key: value for key, value in NOT_SEARCHED.items() if key not in ("compare", "ablations", "tuned")
}


def tune_methods(loaded: LoadedSpec, options: SearchOptions) -> MethodTuning:
    """Search all methods; write `results/<spec>/method_tuning.json` and `<spec>.method_tuning.md`.

    Each search resumes by itself. Raises SpecError when no method has a key to search, RunFailedError as a
    single search does.
    """
    whole = base_of(loaded.experiment, str(loaded.path))
    fingerprint = Fingerprints(cache_file(options.store))
    bases = bases_of(loaded.experiment, whole.tuning, fingerprint)
    if not bases:
        raise SpecError([f"{loaded.path} tuning.space: its keys change nothing of any compared method"])
    methods = [_search(base, options, fingerprint) for base in bases]
    first = methods[0]["tuning"]
    found = MethodTuning(
        spec=loaded.experiment.name, sampler=whole.tuning.sampler, pruner=whole.tuning.pruner,
        metric=first["metric"], protocol=first["protocol"], dataset=first["dataset"], seeds=first["seeds"],
        trials=options.trials or whole.tuning.trials, methods=methods,
        notes=_notes(loaded.experiment, whole, bases),
    )  # fmt: skip
    hashing.write(options.results / found["spec"] / FILE, found)
    text = document_text(lay_out_method_tuning(found))
    atomic.write_text(options.leaderboard / f"{found['spec']}.method_tuning.md", text)
    return found


def bases_of(experiment: Experiment, tuning: Tuning, fingerprint: Fingerprint) -> list[Base]:
    """Return the cell of every compared method with its own space; those without a key are left out.

    Of compared keys besides backbone and enhancer, the first value alone is searched.
    """
    plan = compile_plan(experiment.with_first_seeds().model_copy(update=NOT_A_METHOD), fingerprint)
    cells: dict[str, Cell] = {}
    for cell in plan.cells:
        cells.setdefault(name_of(cell), cell)
    bases = []
    for name, cell in cells.items():
        settings = cell.experiment.model_copy(update={**NOT_SEARCHED, "seeds": seeds_of(experiment, tuning)})
        fixed = {*experiment.compare, *(experiment.ablations[cell.ablation] if cell.ablation else ())}
        base = Base(settings, tuning, (), name)
        space = {
            key: values if key in tuning.space else _with_own(key, values, base, fingerprint)
            for key, values in space_of_method(settings, tuning).items()
            if key not in fixed
        }
        base = _with_space(base, space)
        idle = ineffective_keys(base, fingerprint)
        base = _with_space(base, {key: values for key, values in space.items() if key not in idle})
        if base.space:
            bases.append(replace(base, first=own_point(base, fingerprint)))
    return bases


def name_of(cell: Cell) -> str:
    """Return the name of a cell's method, as a key of `tuned` has it: `sasrec+grasp/softmax`."""
    model = cell.experiment.model
    return f"{model.backbone}+{model.enhancer}" + (f"/{cell.ablation}" if cell.ablation else "")


def space_of_method(experiment: Experiment, tuning: Tuning) -> dict[str, tuple[Any, ...]]:
    """Return the keys that training, backbone and enhancer declare, replaced and extended by the
    spec's; without the loss and the backbone where the enhancer brings its own."""
    model, enhancer = experiment.model, ENHANCERS.get(experiment.model.enhancer)
    own = {
        key: values
        for key, values in Training.space.items()
        if key != "training.loss" or not enhancer.own_loss
    }
    backbone = WIDTH_AND_DROPOUT if enhancer.whole_model else BACKBONES.get(model.backbone).space
    return {**own, **backbone, **enhancer.space, **tuning.space}


def _with_own(key: str, values: tuple[Any, ...], base: Base, fingerprint: Fingerprint) -> tuple[Any, ...]:
    """Extend a declared range or choice to the cell's own value, so that it can be the first trial."""
    own: Any = base.experiment.model_dump(mode="json", by_alias=True)
    for part in key.split("."):
        own = own[part]
    dimension = dimension_of(key, values)
    if isinstance(dimension, Choice):
        usual = _training_hash(base, {}, fingerprint)
        same = (_training_hash(base, {key: value}, fingerprint) == usual for value in dimension.values)
        return values if any(same) else (*dimension.values, own)
    if own is None or (dimension.log and own <= 0):
        return values
    return (min(values[0], own), max(values[1], own), *values[2:])


def own_point(base: Base, fingerprint: Fingerprint) -> dict[str, Any] | None:
    """Return the method's own values as a point of its space; None where the space does not hold them."""
    own = resolved_values(base.experiment)
    usual = _training_hash(base, {}, fingerprint)
    point = {}
    for key, dimension in base.space.items():
        values = _candidates(dimension, own.get(key))
        same = [value for value in values if _training_hash(base, {key: value}, fingerprint) == usual]
        if not same:
            return None
        point[key] = same[0]
    return point


def _candidates(dimension: Dimension, own: Any) -> Sequence[Any]:
    if isinstance(dimension, Choice):
        return dimension.values
    return [own] if own is not None and dimension.low <= own <= dimension.high else []


def _training_hash(base: Base, params: Mapping[str, Any], fingerprint: Fingerprint) -> str | None:
    try:
        return next(iter(trainings(plan_of(base, params, fingerprint)).values())).hash
    except SpecError:
        return None


def _with_space(base: Base, space: Mapping[str, tuple[Any, ...]]) -> Base:
    for key, values in space.items():
        dimension_of(key, values)
    return replace(base, tuning=base.tuning.model_copy(update={"space": dict(space)}))


def _search(base: Base, options: SearchOptions, fingerprint: Fingerprints) -> MethodSearch:
    assert base.method is not None
    tuning = searched(base, options, fingerprint, ())
    # Curves and contours describe one search in depth; a comparison of methods has a curve of its own.
    tuning["curves"], tuning["contours"] = [], []
    complete = [trial for trial in tuning["trials"] if trial["value"] is not None]
    own = next((trial for trial in complete if trial["params"] == base.first), None)
    return MethodSearch(
        method=base.method, default=own["value"] if own else None, seconds=_seconds(tuning["trials"]),
        expected_best=expected_best([trial["value"] or 0.0 for trial in complete]), tuning=tuning,
    )  # fmt: skip


def _seconds(trials: Sequence[Trial]) -> float:
    return round(sum(trial["seconds"] for trial in trials), 1)


def _notes(experiment: Experiment, whole: Base, bases: Sequence[Base]) -> list[str]:
    notes = [
        "Every method had the same number of trials, seeds and early stopping; its own values were its first "
        "trial where its space holds them. No test item was read.",
    ]
    others = [key for key in experiment.compare if key not in ("model.backbone", "model.enhancer")]
    if others:
        notes.append(f"Searched at the first compared value of {', '.join(others)} alone.")
    searched_keys = {key for base in bases for key in base.space}
    notes += [
        f"{key} changes nothing of any method: not searched."
        for key in whole.tuning.space
        if key not in searched_keys
    ]
    if whole.tuning.pruner != "none":
        notes.append(f"Pruned trials ({whole.tuning.pruner}) count towards the budget and have no value.")
    return notes

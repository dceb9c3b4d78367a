"""Shrink a spec to a quick demo on the generated catalogue (`--dataset demo`).

The demo has its own name, so that it overwrites no result of the real study, and a mark in its description,
which boards print first. It has one seed, few epochs and narrow models. Templates and a local model replace
texts and vectors from files or services. Compared values and ablations that need another dataset, files or a
service are left out, as are imported runs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from grasp_bench.components import DATASETS, ENCODERS, TEXT_PROVIDERS
from grasp_bench.core.errors import SpecError
from grasp_bench.spec.encoder import TextEncoderSettings
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.loading import LoadedSpec, load
from grasp_bench.spec.patches import Patcher
from grasp_bench.spec.service import Service
from grasp_bench.spec.text import PromptSettings

SUFFIX = "-demo"
LONGEST_NAME = 80
MARK = "DEMO on a generated catalogue, not on {source}: it shows that everything works, and proves nothing."


def load_demo(path: Path, overrides: Sequence[str]) -> LoadedSpec:
    """Load a spec on the demo dataset; `overrides` win over all but its name and mark."""
    experiment = load(path, overrides).experiment
    quick = {**_quick(experiment), **_without_files(experiment)}
    said = [*_settings(quick), *overrides, *_settings(_marks(experiment))]
    loaded = load(path, said)
    foreign = _without_foreign(loaded.experiment)
    return load(path, [*said, *_settings(foreign)]) if foreign else loaded


def mark_of(experiment: Experiment) -> str | None:
    """Return the sentence that marks a spec on the demo dataset; None for any other spec."""
    first = experiment.description.partition("\n")[0]
    return first if experiment.name.endswith(SUFFIX) and first.startswith("DEMO") else None


def _quick(experiment: Experiment) -> dict[str, Any]:
    return {
        "seeds": [experiment.first_seeds[0]],
        "training.max_epochs": min(10, experiment.training.max_epochs),
        "training.patience": min(5, experiment.training.patience),
        "model.embedding_dim": min(32, experiment.model.embedding_dim),
        "model.max_len": min(50, experiment.model.max_len),
    }


def _without_files(experiment: Experiment) -> dict[str, Any]:
    """Return settings that replace the real dataset's files and paid services."""
    settings: dict[str, Any] = {"dataset.items": None, "dataset.users": None}
    if experiment.dataset.repair.ascending_runs != "keep":  # for files without times; the catalogue has them
        settings["dataset.repair.ascending_runs"] = "keep"
    if not isinstance(experiment.encoder, TextEncoderSettings) or isinstance(experiment.encoder, Service):
        settings["encoder"] = {"kind": ENCODERS.default}
    for side, source in experiment.text:
        if not isinstance(source, PromptSettings) or isinstance(source, Service):
            settings[f"text.{side}"] = {"provider": TEXT_PROVIDERS.default}
    return settings


def _without_foreign(experiment: Experiment) -> dict[str, Any]:
    """Return the varied sections without entries that need more than the catalogue and a local encoder."""
    base = Patcher(experiment)
    compare = {
        key: [value for value in values if _stays(experiment, base, {key: value})]
        for key, values in experiment.compare.items()
    }
    ablations = {
        name: patch for name, patch in experiment.ablations.items() if _stays(experiment, base, patch)
    }
    left_out = {*experiment.ablations} - {*ablations} | {run.name for run in experiment.imported}
    settings: dict[str, Any] = {}
    if any(len(compare[key]) < len(values) for key, values in experiment.compare.items()):
        settings["compare"] = {key: values for key, values in compare.items() if values}
    if left_out:
        settings |= {"ablations": ablations, "imported": []}
        settings["hypotheses"] = [
            each.model_dump(mode="json")
            for each in experiment.hypotheses
            if not any(_names(name, left_out) for name in (each.better, each.than))
        ]
    return settings


def _stays(experiment: Experiment, base: Patcher, patch: Mapping[str, Any]) -> bool:
    """Return whether a patched cell reads the catalogue alone and no paid service."""
    try:
        patched = base.apply(patch)
    except SpecError:  # it may be valid together with another patch; the plan checks that
        return True
    places = [(each.dataset.source, each.dataset.items, each.dataset.users) for each in (experiment, patched)]
    return places[0] == places[1] and not _without_files(patched).keys() - {"dataset.items", "dataset.users"}


def _names(name: str, left_out: Collection[str]) -> bool:
    """Return whether `run`, `enhancer/ablation` or `backbone+enhancer/ablation` names one of `left_out`."""
    return name.partition(" (")[0].rpartition("/")[2] in left_out


def _marks(experiment: Experiment) -> dict[str, Any]:
    mark = MARK.format(source=experiment.dataset.source)
    description = f"{mark}\n{experiment.description}" if experiment.description else mark
    name = experiment.name[: LONGEST_NAME - len(SUFFIX)] + SUFFIX
    return {"name": name, "description": description, "dataset.source": DATASETS.default}


def _settings(values: dict[str, Any]) -> list[str]:
    return [f"{key}={json.dumps(value)}" for key, value in values.items()]  # JSON is YAML

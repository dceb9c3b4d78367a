"""Write the spec of the best trial, ready to be run."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from grasp_bench.core import atomic
from grasp_bench.core.errors import GraspBenchError, SpecError
from grasp_bench.report.formatting import percent
from grasp_bench.report.study import OWN_SETTINGS as OWN
from grasp_bench.spec.experiment import NAME
from grasp_bench.spec.loading import LoadedSpec, load
from grasp_bench.spec.patches import PATCH, apply_patch, patched
from grasp_bench.spec.problems import Problems
from grasp_bench.spec.tree import Entry, from_plain, plain
from grasp_bench.studies.tuning.methods_schema import MethodTuning
from grasp_bench.studies.tuning.schema import Trial, Tuning

HEAD = """\
# The winner of `grasp-bench tune {spec}`: trial {number} of {trials}, chosen on validation alone
# ({metric} {value} % over seeds {seeds}; higher by the choice itself).
# Its test figures come by
#     grasp-bench run {path}
# which trains nothing anew of what the search has trained.
"""
VARIABLE = re.compile(r"\$\{(\w+)\}")
WIDTH = 110


def refuse_existing(path: Path) -> None:
    """Raise GraspBenchError when the file exists."""
    if path.exists():
        raise GraspBenchError(f"{path} exists already", hint="name another file, or pass --overwrite")


HEAD_OF_METHODS = """\
# Each method with the best of its {trials} trials in `grasp-bench tune {spec}`, chosen on validation alone,
# and beside it with its own settings (ablation `{own}`). Test figures come by
#     grasp-bench run {path}
"""


def write_tuned_spec(path: Path, loaded: LoadedSpec, found: MethodTuning) -> None:
    """Write the spec with `tuned`, the winner of each method, and an ablation that has none of it.

    Seeds, comparisons, hypotheses and other ablations stay as they are; comments of the original are lost.
    Raises GraspBenchError when a method has no complete trial.
    """
    tuned: dict[str, Any] = {}
    for each in found["methods"]:
        best = each["tuning"]["best"]
        if best is None:
            raise GraspBenchError(f"{path}: not written, no trial of {each['method']} is complete")
        tuned[each["method"]] = {
            "values": best["params"], "trials": len(each["tuning"]["trials"]), "seconds": each["seconds"],
            "validation": round(best["value"] or 0.0, 6),
        }  # fmt: skip
    plain_methods = [name for name in tuned if "/" not in name]
    said = _with_variables(_values(path, loaded, {}), loaded)
    said["ablations"] = {**said.get("ablations", {}), OWN: {}}
    said["tuned"] = {**tuned, **{f"{name}/{OWN}": {"values": {}} for name in plain_methods}}
    head = HEAD_OF_METHODS.format(trials=found["trials"], spec=loaded.path, own=OWN, path=path)
    atomic.write_text(path, head + _yaml(said))
    try:
        load(path)
    except SpecError:
        path.unlink()
        raise


def write_best_spec(path: Path, loaded: LoadedSpec, found: Tuning) -> None:
    """Write the spec with the best trial's values in the place of its own, named after the file.

    Seeds, comparisons, ablations and hypotheses stay as they are; comments of the original are lost, and
    environment variables stay variables. Raises GraspBenchError when no trial is complete.
    """
    best = found["best"]
    if best is None:
        raise GraspBenchError(f"{path}: not written, no trial is complete")
    head = HEAD.format(
        spec=loaded.path, number=best["number"], trials=len(found["trials"]), metric=found["metric"],
        value=percent(best["value"]), seeds=", ".join(map(str, found["seeds"])), path=path,
    )  # fmt: skip
    values = _with_variables(_values(path, loaded, best["params"]), loaded)
    atomic.write_text(path, head + _yaml(values))
    _check(path, loaded, best)


class _InFull(yaml.SafeDumper):
    """Writes equal values in full, where YAML would refer to the first of them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(values: Any) -> str:
    return yaml.dump(
        values, Dumper=_InFull, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=None
    )


def _values(path: Path, loaded: LoadedSpec, params: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the original with those of a trial; without `tuning`."""
    problems = Problems()
    said = {key: value for key, value in loaded.values.items() if key != "tuning"}
    patch = {key: Entry(PATCH, from_plain(value, PATCH)) for key, value in params.items()}
    values: dict[str, Any] = plain(patched(from_plain(said, PATCH), patch, problems))
    problems.raise_if_any()
    values["name"] = _name(path, loaded)
    winner = f"The winner of a search on validation ({loaded.experiment.name})"
    values["description"] = f"{winner}. {loaded.experiment.description}".rstrip(" .")
    published = values.get("published")
    if isinstance(published, dict) and (file := loaded.path.parent / str(published.get("file"))).is_file():
        values["published"] = {**published, "file": os.path.relpath(file, path.parent)}
    return values


def _name(path: Path, loaded: LoadedSpec) -> str:
    """The file's name, so that results do not mix with those of the original."""
    name = path.name.removesuffix(path.suffix)
    if not re.fullmatch(NAME, name) or name == loaded.experiment.name:
        return f"{loaded.experiment.name[:74]}_tuned"
    return name


def _with_variables(value: Any, loaded: LoadedSpec, key: str = "") -> Any:
    """Put environment variables back where the original had them."""
    if isinstance(value, dict):
        return {k: _with_variables(each, loaded, f"{key}.{k}".lstrip(".")) for k, each in value.items()}
    if isinstance(value, str):
        for name in VARIABLE.findall(loaded.sources.get(key, "")):
            if text := os.environ.get(name):
                value = value.replace(text, f"${{{name}}}")
    return value


def _check(path: Path, loaded: LoadedSpec, best: Trial) -> None:
    """Load the written file; delete it and raise unless it means the patched spec."""
    try:
        written = load(path).experiment
    except SpecError:
        path.unlink()
        raise
    meant = apply_patch(loaded.experiment, best["params"])
    own = {name: getattr(written, name) for name in ("name", "description", "published")}
    unlike = {**own, "tuning": None}
    if written != meant.model_copy(update=unlike):
        path.unlink()
        raise GraspBenchError(f"{path}: not written, the spec cannot be told in one file")

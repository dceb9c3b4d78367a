"""Read the published figures that a spec names, with every problem at its file, line and key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from grasp_bench.core.files import FILE, expanded, kind_of
from grasp_bench.core.words import did_you_mean
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.problems import Problems, dotted, message, not_one_of
from grasp_bench.spec.published import (
    WHOLE,
    Published,
    PublishedDataset,
    PublishedFigures,
    PublishedFile,
    Source,
    SourcedRow,
    Tables,
)
from grasp_bench.spec.section import Section
from grasp_bench.spec.tree import Node, Part, locate, plain
from grasp_bench.spec.yaml_reader import read_file

KEY = "published"
SECTIONS: Mapping[Part, type[Section]] = {
    "source": Source, "tables": Tables, "datasets": PublishedDataset, "rows": SourcedRow,
}  # fmt: skip
TABLES = ("overall", "groups", "ablations")
FOLDER = "published"  # beside a spec; `file: grasp` is its grasp.yaml


def read_published(
    experiment: Experiment, tree: Node, spec: Path, problems: Problems
) -> PublishedFigures | None:
    """Read the figures that a spec names; None if it names none or they are invalid.

    A relative path starts from the file that contains it, an override from the spec.
    """
    chosen = experiment.published
    if chosen is None:
        return None
    before = len(problems.found)
    _refuse_one_for_several(experiment, chosen, tree, problems)
    path = _find(chosen.file, tree, spec, problems)
    content = _read(path, problems) if path is not None else None
    if content is not None:
        _refuse_unknown_datasets(chosen, content, tree, problems)
    if content is None or len(problems.found) > before:
        return None
    return PublishedFigures(content, chosen)


def _find(name: str, tree: Node, spec: Path, problems: Problems) -> Path | None:
    found = locate(tree, (KEY, "file"))
    written_in = Path(found.node.place.file) if found.node.place.line else spec
    given = expanded(name)
    candidates = [written_in.parent / given]
    if given.name == name and not given.suffix:
        candidates.append(written_in.parent / FOLDER / f"{name}.yaml")
    for path in candidates:
        if kind_of(path) == FILE:
            return path
    there = [each.name for each in (written_in.parent / FOLDER).glob("*.yaml")]
    near = did_you_mean(candidates[-1].name, there)
    problems.add(found.node.place, (KEY, "file"), f"no file '{candidates[-1]}'{near}")
    return None


def _read(path: Path, problems: Problems) -> PublishedFile | None:
    name = str(path)
    if name not in problems.files:
        problems.files.append(name)
    before = len(problems.found)
    tree = read_file(path, name, problems)
    if tree is None:
        return None
    values = plain(tree)
    if not isinstance(values, dict):
        problems.add(tree.place, "", "expected a mapping (source, datasets, overall, …)")
        return None
    try:
        content = PublishedFile.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            _note(each, tree, values, problems)
        return None
    _check(content, tree, problems)
    return content if len(problems.found) == before else None


def _note(error: ErrorDetails, tree: Node, values: Mapping[str, Any], problems: Problems) -> None:
    """Note one of pydantic's findings at its place, unless the value was refused while reading."""
    path = tuple(part for part in error["loc"] if part != "[key]")
    found = locate(tree, path)
    if found.node.broken:
        return
    about_key = error["loc"][-1] == "[key]" or error["type"] in ("extra_forbidden", "missing")
    place = found.key_place if about_key or not found.whole else found.node.place
    if error["type"] == "extra_forbidden":
        text = f"unknown key{did_you_mean(str(path[-1]), _keys_beside(path))}"
    else:
        text = message(error, path, values)
    problems.add(place, path, text)


def _keys_beside(path: tuple[Part, ...]) -> Iterable[str]:
    """Return the known keys of the section that holds an unknown one."""
    above = [SECTIONS[part] for part in path[:-1] if part in SECTIONS]
    return (above[-1] if above else PublishedFile).model_fields


def _check(content: PublishedFile, tree: Node, problems: Problems) -> None:
    """Note tables without a source, undescribed datasets, and a method with two different figures."""
    if content.source is None and (given := [table for table in TABLES if getattr(content, table)]):
        place = locate(tree, (given[0],)).key_place
        problems.add(place, given[0], "needs the source of its figures; give it in source")
    for table in (*TABLES, "rows"):
        for dataset in getattr(content, table):
            if dataset not in content.datasets:
                place = locate(tree, (table, dataset)).key_place
                near = did_you_mean(dataset, content.datasets)
                problems.add(place, (table, dataset), f"no such dataset in datasets{near}")
    for dataset, backbones in content.ablations.items():
        for backbone, enhancers in backbones.items():
            for enhancer, ablations in enhancers.items():
                overall = content.overall.get(dataset, {}).get(backbone, {}).get(enhancer)
                whole = ablations.get(WHOLE)
                if whole is not None and overall is not None and whole != overall:
                    path = ("ablations", dataset, backbone, enhancer, WHOLE)
                    text = f"differs from {dotted(('overall', dataset, backbone, enhancer))}, the same method"
                    problems.add(locate(tree, path).key_place, path, text)


def _refuse_unknown_datasets(
    chosen: Published, content: PublishedFile, tree: Node, problems: Problems
) -> None:
    named: dict[tuple[str, ...], str] = {("dataset",): chosen.dataset} if chosen.dataset else {}
    named |= {("datasets", ours): theirs for ours, theirs in chosen.datasets.items()}
    for key, name in named.items():
        if name not in content.datasets:
            path = (KEY, *key)
            problems.add(locate(tree, path).node.place, path, not_one_of(name, list(content.datasets)))


def _refuse_one_for_several(
    experiment: Experiment, chosen: Published, tree: Node, problems: Problems
) -> None:
    """Refuse one published dataset for a spec with several, whose figures would not be comparable."""
    patched = [experiment.compare, *experiment.ablations.values()]
    if chosen.dataset is not None and any("dataset.source" in patch for patch in patched):
        text = "the spec has several datasets; map each to a published one in published.datasets"
        problems.add(locate(tree, (KEY, "dataset")).key_place, (KEY, "dataset"), text)

"""Load a spec: read, include, override, validate, check what it varies — and tell all problems at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grasp_bench.core.errors import MissingFileError
from grasp_bench.core.files import FILE, FOLDER, NOTHING, kind_of
from grasp_bench.core.garbage import no_collection
from grasp_bench.core.suggest import did_you_mean
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.include import KEY as INCLUDE
from grasp_bench.spec.include import SpecFiles, checked_mapping
from grasp_bench.spec.patches import patched, read_override
from grasp_bench.spec.paths import check_paths
from grasp_bench.spec.problems import Problems
from grasp_bench.spec.protocols import with_preset
from grasp_bench.spec.provenance import sources
from grasp_bench.spec.published import PublishedFigures
from grasp_bench.spec.published_reading import read_published
from grasp_bench.spec.secrets import without_secrets
from grasp_bench.spec.tree import Entry, Node, Place, plain, remove
from grasp_bench.spec.validation import build, salvage
from grasp_bench.spec.variations import check_combinations, check_patches
from grasp_bench.spec.yaml_reader import read_text


@dataclass(frozen=True)
class LoadedSpec:
    """A valid spec and where it came from.

    `values` are the values as written, includes and overrides merged in; `sources` maps every
    resolved dotted key to "specs/x.yaml:7:12", "include specs/base.yaml:3:1", "--set",
    "environment ${NAME} at specs/x.yaml:3:4", "protocol strict at specs/x.yaml:3:11" or "default".
    `tree` has the values with their places.
    """

    experiment: Experiment
    path: Path
    values: dict[str, Any]
    sources: dict[str, str]
    tree: Node
    published: PublishedFigures | None = None


def load(path: Path, overrides: Sequence[str] = ()) -> LoadedSpec:
    """Load a spec file, with `--set` overrides; SpecError tells all problems in file order."""
    kind = kind_of(path)
    if kind != FILE:
        raise _missing(path, kind)
    problems = Problems()
    files = SpecFiles(path, problems)
    with no_collection():  # a tree makes no garbage, and would be searched for it again and again
        tree = files.read(path, str(path))
        return _finish(tree, path, overrides, problems, complete=files.complete)


def load_text(text: str, name: str = "<text>", overrides: Sequence[str] = ()) -> LoadedSpec:
    """Load a spec from text; `name` stands for the file in messages, and nothing can be included."""
    problems = Problems(files=[name])
    tree = read_text(text, Place(name), problems)
    if tree is not None:
        tree = checked_mapping(tree, Place(name, 1, 1), problems)
    if tree is not None and INCLUDE in tree.value:
        problems.add(tree.value[INCLUDE].key_place, INCLUDE, "only a spec in a file can include others")
        tree = remove(tree, [INCLUDE])
    return _finish(tree, Path(name), overrides, problems, complete=tree is not None)


def _missing(path: Path, kind: str) -> MissingFileError:
    if kind == FOLDER:
        specs = sorted(each.name for each in path.glob("*.y*ml"))
        return MissingFileError(
            f"{path}: a folder, not a spec file",
            mend=f"name one of its files: {', '.join(specs)}" if specs else "name a YAML file",
        )
    if kind != NOTHING:
        return MissingFileError(f"{path}: is {kind}, not a file", mend="name a YAML file")
    near = [each.name for each in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    return MissingFileError(
        f"{path}: no such file{did_you_mean(path.name, near)}", mend="`grasp-bench init` writes a starter"
    )


def _finish(
    tree: Node | None, path: Path, overrides: Sequence[str], problems: Problems, *, complete: bool
) -> LoadedSpec:
    entries: dict[str, Entry] = {}
    for text in overrides:
        parsed = read_override(text, problems)
        if parsed:
            entries[parsed[0]] = parsed[1]
    if tree is None:
        problems.raise_if_any()
    assert tree is not None
    tree = with_preset(without_secrets(patched(tree, entries, problems), problems), problems)
    check_paths(tree, problems)
    built = build(tree)
    published = None
    if isinstance(built, Experiment):
        published = read_published(built, tree, path, problems)
        check_patches(built, tree, problems)
        if not problems.found:
            check_combinations(built, tree, problems)
    else:
        problems.extend(finding for finding in built if complete or not finding.missing)
        rest = salvage(tree, built)
        if rest is not None:
            read_published(rest.experiment, tree, path, problems)
            check_patches(rest.experiment, tree, problems, doubtful=rest.dropped)
    problems.raise_if_any()
    assert isinstance(built, Experiment)
    return LoadedSpec(built, path, plain(tree), sources(built, tree), tree, published)

"""Validate a tree into an Experiment, with each finding at its place; refuse values that look like keys."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass, replace

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from grasp_bench.components import DATASETS
from grasp_bench.core.shown import looks_secret
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.problems import KEYS_COME_FROM, MOST_EXPLAINED, Problem, Problems, dotted, message
from grasp_bench.spec.service import ENVIRONMENT_NAME
from grasp_bench.spec.shape import without_tags
from grasp_bench.spec.tree import Entry, Node, Part, Place, assign, locate, plain, remove

SALVAGE_ROUNDS = 3  # a section may lose its key, then its variant, then itself


@dataclass(frozen=True)
class Finding(Problem):
    """A problem with the path of its value; `missing` if there is no value."""

    path: tuple[Part, ...] = ()
    missing: bool = False


def build(tree: Node) -> Experiment | list[Finding]:
    """Validate a tree into an Experiment, or return all findings.

    Validation is strict, so that `true` is no number and '5' no integer: YAML decides the type of a scalar.
    It goes through JSON, where strict mode accepts a list as a tuple.
    """
    values = plain(tree)
    try:
        return Experiment.model_validate_json(json.dumps(values), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        details = error.errors(include_url=False)
        findings = [_finding(each, tree) for each in details]
    found = [(finding, each) for finding, each in zip(findings, details, strict=True) if finding is not None]
    found.sort(key=lambda pair: (pair[0].place.line, pair[0].place.column))
    explained = [
        replace(finding, message=message(each, finding.path, values))
        for finding, each in found[:MOST_EXPLAINED]
    ]
    return [*explained, *(finding for finding, _ in found[MOST_EXPLAINED:])]


def _finding(error: ErrorDetails, tree: Node) -> Finding | None:
    """Locate an error, with pydantic's message; None if the value was already refused while reading."""
    path = without_tags(error["loc"])
    if error["type"] == "union_tag_invalid":
        path = (*path, str(error["ctx"]["discriminator"]).strip("'"))
    found = locate(tree, path)
    items = found.node.value if isinstance(found.node.value, list) else []
    if found.node.broken or any(item.broken for item in items):
        return None
    about_key = error["type"] in ("extra_forbidden", "value_error", "missing", "union_tag_not_found")
    place = found.key_place if about_key or not found.whole else found.node.place
    return Finding(place, dotted(path), str(error["msg"]), path, error["type"] == "missing")


@dataclass(frozen=True)
class Salvaged:
    """The valid rest of an invalid spec; `dropped` are the paths of removed values."""

    experiment: Experiment
    dropped: tuple[tuple[str, ...], ...]


def salvage(tree: Node, findings: list[Finding]) -> Salvaged | None:
    """Remove invalid values from a spec, so that the rest can be checked in the same run."""
    if len(findings) > MOST_EXPLAINED:  # more problems than are printed
        return None
    dropped: list[tuple[str, ...]] = []
    for _ in range(SALVAGE_ROUNDS):
        for finding in findings:
            path = finding.path[:-1] if finding.missing else finding.path
            keys = tuple(str(part) for part in itertools.takewhile(lambda part: isinstance(part, str), path))
            if keys:
                tree = remove(tree, keys)
                dropped.append(keys)
        built = build(without_broken(_with_stand_ins(tree)))
        if isinstance(built, Experiment):
            return Salvaged(built, tuple(dropped))
        findings = built
    return None


def _with_stand_ins(tree: Node) -> Node:
    """Fill in the required values of a spec."""
    place = Place("stand-in")
    for path, value in ((("name",), "unnamed"), (("dataset", "source"), DATASETS.default)):
        found = locate(tree, path)
        if not found.whole or found.node.broken:
            tree = assign(tree, path, Entry(place, Node(value, place)))
    return tree


def without_broken(node: Node) -> Node:
    """Return the tree without the values that were refused while reading."""
    if isinstance(node.value, dict):
        kept = {key: entry for key, entry in node.value.items() if not entry.node.broken}
        return Node(
            {key: Entry(each.key_place, without_broken(each.node)) for key, each in kept.items()}, node.place
        )
    if isinstance(node.value, list):
        return Node([without_broken(item) for item in node.value if not item.broken], node.place)
    return node


VARIABLE = "expected the name of an environment variable, such as OPENAI_API_KEY, and never its value"
VARIABLE_KEY = "api_key_env"
LONG_NAME = 20


def without_secrets(node: Node, problems: Problems, path: tuple[Part, ...] = ()) -> Node:
    """Remove values that look like access keys and note a problem for each, without its value."""
    if isinstance(node.value, dict):
        entries = {
            key: Entry(entry.key_place, without_secrets(entry.node, problems, (*path, key)))
            for key, entry in node.value.items()
        }
        return replace(node, value=entries)
    if isinstance(node.value, list):
        items = [without_secrets(item, problems, (*path, k)) for k, item in enumerate(node.value)]
        return replace(node, value=items)
    if not isinstance(node.value, str):
        return node
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    wrong = None
    if key.rpartition(".")[2] == VARIABLE_KEY and not _names_a_variable(node.value):
        wrong = VARIABLE
    elif looks_secret(node.value):
        wrong = f"looks like an access key; {KEYS_COME_FROM}"
    if wrong is None:
        return node
    problems.add(node.place, path, wrong)
    return Node(None, node.place, broken=True)


def _names_a_variable(text: str) -> bool:
    """Return whether a text is a variable's name and no key of letters and digits (`a1b2…`)."""
    random = len(text) >= LONG_NAME and "_" not in text and any(letter.isdigit() for letter in text)
    return bool(re.fullmatch(ENVIRONMENT_NAME, text)) and not random

"""Compile and try the templates of a spec before anything runs; report errors at their places."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.files import NOTHING, kind_of
from grasp_bench.spec.loading import LoadedSpec
from grasp_bench.spec.locations import TEMPLATE_SUFFIX, texts_of
from grasp_bench.spec.problems import Problems

if TYPE_CHECKING:  # which imports polars
    from grasp_bench.text.providers import Side

KEYS: dict[str, Side] = {"text.users.template": "users", "text.items.template": "items"}
EXAMPLE = "an example"


class _Example:
    """An item or user whose every attribute is a word."""

    known = (("title", "word"), ("category", "word"))
    __iter__ = None

    def __getitem__(self, name: str) -> str:
        return "word"

    def __str__(self) -> str:
        return "title: word; category: word"


def check_templates(loaded: LoadedSpec) -> None:
    """Raise SpecError for every template of a spec that is unknown, does not compile, or has no end.

    A missing file is not an error of the spec; `run` reports it.
    """
    problems = Problems()
    faults: dict[tuple[str, Side], str | None] = {}
    for key, path, node in texts_of(loaded.tree):
        side = next((side for end, side in KEYS.items() if f".{key}".endswith(f".{end}")), None)
        if side is None:
            continue
        if (node.value, side) not in faults:
            faults[node.value, side] = _fault(node.value, side)
        if (fault := faults[node.value, side]) is not None:
            problems.add(node.place, path, fault)
    problems.raise_if_any()


def _fault(name: str, side: Side) -> str | None:
    if name.endswith(TEMPLATE_SUFFIX) and kind_of(Path(name)) == NOTHING:
        return None
    from grasp_bench.text.templates import EndlessTemplateError, Prompt

    try:
        prompt = Prompt(name, side)
    except GraspBenchError as error:
        return _told(error)
    try:
        prompt.fill(EXAMPLE, **dict(_variables(side)))
    except EndlessTemplateError as error:
        return _told(error)
    except GraspBenchError:  # a real entity may have a number instead of a word
        return None
    return None


def _told(error: GraspBenchError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _variables(side: Side) -> Iterator[tuple[str, Any]]:
    if side == "items":
        yield "item", _Example()
    else:
        yield "user", _Example()
        yield "titles", ["word", "word"]
        yield "items", [_Example(), _Example()]

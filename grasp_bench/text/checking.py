"""Compile and try the templates of a spec before anything runs; report errors at their places."""

from __future__ import annotations

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


EXAMPLES: dict[Side, dict[str, Any]] = {
    "items": {"item": _Example()},
    "users": {"user": _Example(), "titles": ["word", "word"], "items": [_Example(), _Example()]},
}


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

    prompt = None
    try:
        prompt = Prompt(name, side)
        prompt.fill(EXAMPLE, **EXAMPLES[side])
    except GraspBenchError as error:
        if prompt is not None and not isinstance(error, EndlessTemplateError):
            return None  # a real entity may have a number instead of a word
        return f"{error.message}; {error.hint}" if error.hint else error.message
    return None

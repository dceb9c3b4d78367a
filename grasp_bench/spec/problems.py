"""Collect the problems of a spec, word them, and report them at once, in file order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import ErrorDetails

from grasp_bench.core.errors import MOST_PROBLEMS, SpecError
from grasp_bench.core.shown import masked, names_secret, shown_line
from grasp_bench.core.words import did_you_mean, listed, nearest
from grasp_bench.spec.shape import Choice, all_keys, fields, section_at, variant
from grasp_bench.spec.tree import Part, Place

MOST_EXPLAINED = 2 * MOST_PROBLEMS  # hints are costly, so unprinted problems get none
LONGEST_KEY, LONGEST_MESSAGE = 200, 2_000


def dotted(path: Sequence[Part]) -> str:
    """Join a path to a dotted key: ("compare", "model.enhancer", 0) to `compare.model.enhancer[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def shortened(text: str, most: int) -> str:
    """Leave out the middle of a text that is longer than `most` characters."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}… ({len(text):,} characters) …{text[-most // 4 :]}"


@dataclass(frozen=True)
class Problem:
    """One problem: its place, its key ("" for the whole file) and a message."""

    place: Place
    key: str
    message: str

    def __str__(self) -> str:
        key = f" {shortened(self.key, LONGEST_KEY)}" if self.key else ""
        text = f"{self.place}{key}: {shortened(self.message, LONGEST_MESSAGE)}"
        return shown_line(masked(text))  # a message may quote a secret of the file


@dataclass
class Problems:
    """A growing list of problems; `files` fixes the order in which files are reported."""

    found: list[Problem] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    explained: int = MOST_EXPLAINED
    _known: set[Problem] = field(default_factory=set)

    def add(self, place: Place, key: Sequence[Part] | str, message: str) -> None:
        """Note a problem."""
        self.extend([Problem(place, key if isinstance(key, str) else dotted(key), message)])

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note several problems and skip repeats."""
        for problem in problems:
            if problem not in self._known:
                self._known.add(problem)
                self.found.append(problem)

    @property
    def room(self) -> int:
        """Return how many more problems get an explanation; those beyond are only counted."""
        return max(0, self.explained - len(self.found))

    def lines(self) -> list[str]:
        """Return the printed problems, sorted by file in the order of reading, then by line and column."""
        return [str(problem) for problem in sorted(self.found, key=self._order)[:MOST_PROBLEMS]]

    def raise_if_any(self) -> None:
        """Raise SpecError with all problems, if there are any."""
        if self.found:
            lines = self.lines()
            raise SpecError(lines, len(self.found) - len(lines))

    def _order(self, problem: Problem) -> tuple[int, int, int]:
        file = problem.place.file
        rank = self.files.index(file) if file in self.files else len(self.files)
        return rank, problem.place.line, problem.place.column


EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}
BOUNDS = {
    "greater_than": ("gt", "must be greater than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}
KEYS_COME_FROM = "keys come from the environment or .env: set api_key_env to the variable's name"


def describe(value: Any) -> str:
    """Describe a value in a few words: `the text 'no'`, `3`, `a list`, `nothing`."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f"the text '{value if len(value) <= 40 else value[:37] + '…'}'"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return json.dumps(value)


def message(error: ErrorDetails, path: Sequence[Part], values: Mapping[str, Any]) -> str:
    """Return a one-line message for an error at a path."""
    kind, context, given = error["type"], error.get("ctx", {}), error.get("input")
    if kind == "extra_forbidden":
        return unknown_key(path, values)
    if kind == "missing":
        return "required key is missing"
    if kind in EXPECTED:
        quote = "; quote it to make it text" if kind == "string_type" and given is not None else ""
        return f"expected {EXPECTED[kind]}, got {describe(given)}{quote}"
    if kind in BOUNDS:
        bound, words = BOUNDS[kind]
        return f"{words} {context[bound]:g}, got {describe(given)}"
    if kind == "literal_error":
        return not_one_of(given, _quoted_words(str(context["expected"])))
    if kind == "union_tag_invalid":
        return not_one_of(context["tag"], _quoted_words(str(context["expected_tags"])))
    if kind == "union_tag_not_found":
        return _missing_tag(path, values)
    if kind == "string_pattern_mismatch":
        return f"{describe(given)} does not match {context['pattern']}"
    if kind in ("string_too_short", "too_short"):
        return "must not be empty"
    if kind == "value_error":
        return str(context["error"])
    return str(error["msg"])


def not_one_of(given: Any, options: Sequence[str]) -> str:
    """Return `the text 'x' is not one of …`, with the nearest option."""
    hint = did_you_mean(given, options) if isinstance(given, str) else ""
    return f"{describe(given)} is not one of {listed(options)}{hint}"


def unknown_key(path: Sequence[Part], values: Mapping[str, Any], whole: str = "") -> str:
    """Return `unknown key` with the nearest key of the section, or else the same key of another section.

    `whole` is the dotted key as written, if the path is only its beginning.
    """
    *above, last = path
    if names_secret(str(last)):
        return f"unknown key; {KEYS_COME_FROM}"
    here: Any = values
    for part in above:
        here = here.get(part) if isinstance(here, Mapping) else None
    last = str(last)
    section = variant(section_at(above, values), here)
    known = list(fields(section)) if section else []
    begun = ".".join(map(str, path))
    if whole not in ("", begun):  # an unknown section: the rest of the key helps to guess
        alike = [key for key in all_keys() if key.count(".") == whole.count(".")]
        best = nearest(whole, alike)
    else:
        best = nearest(last, known) or _home_of(last)
        best = ".".join([*map(str, above), best]) if whole and best in known else best
    if best:
        return f"unknown key; did you mean '{best}'?"
    return f"unknown key; known here: {', '.join(known)}" if known else "unknown key"


def _home_of(name: str) -> str | None:
    """Return a dotted key of the spec whose last part is this name."""
    return next((key for key in all_keys() if key.rpartition(".")[2] == name), None)


def _missing_tag(path: Sequence[Part], values: Mapping[str, Any]) -> str:
    shape = section_at(path, values)
    if not isinstance(shape, Choice):
        return "required key is missing"
    return f"'{shape.key}' is missing; choose one of {', '.join(shape.variants)}"


def _quoted_words(text: str) -> list[str]:
    """Parse the options of pydantic's "'a', 'b' or 'c'"."""
    return [word for index, word in enumerate(text.split("'")) if index % 2]

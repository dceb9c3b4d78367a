"""Collect the problems of a spec and report them at once, in file order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from grasp_bench.core.errors import MOST_PROBLEMS, SpecError
from grasp_bench.core.secrets import masked
from grasp_bench.core.shown import shown_line
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
            told = self.lines()
            raise SpecError(told, len(self.found) - len(told))

    def _order(self, problem: Problem) -> tuple[int, int, int]:
        file = problem.place.file
        rank = self.files.index(file) if file in self.files else len(self.files)
        return rank, problem.place.line, problem.place.column

"""Everything wrong with a spec, collected so that it is told at once and in file order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from grasp_bench.core.errors import MOST_PROBLEMS, SpecError
from grasp_bench.core.secrets import masked
from grasp_bench.core.shown import shown_line
from grasp_bench.spec.tree import Part, Place

MOST_EXPLAINED = 2 * MOST_PROBLEMS  # hints cost far more than problems: those that nobody will read get none
LONGEST_KEY, LONGEST_MESSAGE = 200, 2_000


def dotted(path: Sequence[Part]) -> str:
    """("compare", "model.enhancer", 0) as `compare.model.enhancer[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def shortened(text: str, most: int) -> str:
    """A text with its middle left out where it is longer than `most` characters."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}… ({len(text):,} characters) …{text[-most // 4 :]}"


@dataclass(frozen=True)
class Problem:
    """One thing wrong, where, and about which key ("" for the file as a whole)."""

    place: Place
    key: str
    message: str

    def __str__(self) -> str:
        key = f" {shortened(self.key, LONGEST_KEY)}" if self.key else ""
        text = f"{self.place}{key}: {shortened(self.message, LONGEST_MESSAGE)}"
        return shown_line(masked(text))  # a message may quote what was written


@dataclass
class Problems:
    """A growing list of problems; `files` fixes the order in which files are told of."""

    found: list[Problem] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    explained: int = MOST_EXPLAINED
    _known: set[Problem] = field(default_factory=set)

    def add(self, place: Place, key: Sequence[Part] | str, message: str) -> None:
        """Note a problem."""
        self.extend([Problem(place, key if isinstance(key, str) else dotted(key), message)])

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note several problems, each once."""
        for problem in problems:
            if problem not in self._known:
                self._known.add(problem)
                self.found.append(problem)

    @property
    def room(self) -> int:
        """How many more problems are worth an explanation: those beyond are counted, not told."""
        return max(0, self.explained - len(self.found))

    def lines(self) -> list[str]:
        """The problems that are told, as text: by file in the order of reading, then by line and column."""
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

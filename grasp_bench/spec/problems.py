"""Everything wrong with a spec, collected so that it is told at once and in file order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from grasp_bench.core.errors import SpecError
from grasp_bench.core.secrets import masked
from grasp_bench.spec.tree import Part, Place


def dotted(path: Sequence[Part]) -> str:
    """("compare", "model.enhancer", 0) as `compare.model.enhancer[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(frozen=True)
class Problem:
    """One thing wrong, where, and about which key ("" for the file as a whole)."""

    place: Place
    key: str
    message: str

    def __str__(self) -> str:
        text = f"{self.place} {self.key}: {self.message}" if self.key else f"{self.place}: {self.message}"
        return masked(text)  # a message may quote what was written


@dataclass
class Problems:
    """A growing list of problems; `files` fixes the order in which files are told of."""

    found: list[Problem] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    _noted: set[Problem] = field(default_factory=set)

    def add(self, place: Place, key: Sequence[Part] | str, message: str) -> None:
        """Note a problem."""
        self.extend([Problem(place, key if isinstance(key, str) else dotted(key), message)])

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note several problems."""
        for problem in problems:
            if problem not in self._noted:
                self._noted.add(problem)
                self.found.append(problem)

    def lines(self) -> list[str]:
        """All problems as text: by file in the order of reading, then by line and column."""
        return [str(problem) for problem in sorted(self.found, key=self._order)]

    def raise_if_any(self) -> None:
        """Raise SpecError with all problems, if there are any."""
        if self.found:
            raise SpecError(self.lines())

    def _order(self, problem: Problem) -> tuple[int, int, int]:
        file = problem.place.file
        rank = self.files.index(file) if file in self.files else len(self.files)
        return rank, problem.place.line, problem.place.column

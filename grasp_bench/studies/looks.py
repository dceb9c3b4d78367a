"""Judge the hypotheses of a study that adds seeds until they are decided, and say which methods get more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grasp_bench.engine.publish import identity
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.report.claims import judge
from grasp_bench.report.comparable_cells import StoredResults, read_results
from grasp_bench.report.formatting import UNDECIDED, short_verdict
from grasp_bench.report.methods import Method, method_of
from grasp_bench.report.schema import Claim
from grasp_bench.report.user_values import UserValues


@dataclass(frozen=True)
class Judgement:
    """The verdicts on a study's hypotheses by its finished cells."""

    stored: StoredResults
    claims: Sequence[Claim]

    @property
    def undecided(self) -> list[Claim]:
        """The claims that more seeds might decide."""
        return [claim for claim in self.claims if claim["verdict"] == UNDECIDED]

    def sides(self, claim: Claim) -> list[Method]:
        """The two methods of a claim."""
        named = (claim["better"], claim["than"])
        return [method for method, label in self.stored.labels.items() if label in named]

    def is_whole(self, method: Method) -> bool:
        """True when a method is there with every seed that is planned for it."""
        homes = [partition for partition in self.stored.partitions if method in partition.planned]
        return all(home.cells.get(method) and not home.unfinished(method) for home in homes)


def judged(folder: Path) -> Judgement:
    """Judge the hypotheses of `results/<spec>` by the cells that its study.json plans."""
    stored = read_results(folder)
    return Judgement(stored, judge(stored, UserValues()))


@dataclass(frozen=True)
class SeedCounts:
    """How many seeds each trained method has by now, and the looks at which methods may get more.

    `limits` are the seeds that there can be of each method that has any: an imported run has those it has.
    """

    counts: Mapping[Method, int]
    limits: Mapping[Method, int]
    looks: tuple[int, ...]

    @classmethod
    def at_first(cls, whole: Plan, looks: tuple[int, ...]) -> SeedCounts:
        """Counts at the first look; `whole` is the plan with every seed that there may be."""
        limits = Counter(method_of(identity(cell)) for cell in whole.cells if cell.seed is not None)
        trained = dict.fromkeys(method_of(identity(cell)) for cell in whole.cells if "train" in cell.nodes)
        return cls({method: min(looks[0], limits[method]) for method in trained}, limits, looks)

    def of(self, cell: Cell) -> int:
        """How many seeds the method of a trained cell has."""
        return self.counts[method_of(identity(cell))]

    def further(self, judgement: Judgement) -> SeedCounts:
        """Counts at the next look: more seeds for the methods of undecided hypotheses, or the same counts.

        A hypothesis waits while planned seeds are missing. It gets no more seeds where one side cannot have
        enough for the next look, such as a control on shuffled embeddings with its one.
        """
        counts = dict(self.counts)
        for claim in judgement.undecided:
            sides = judgement.sides(claim)
            trained = [method for method in sides if method in self.counts]
            if not trained or not all(map(judgement.is_whole, sides)):
                continue
            now = min(self.counts[method] for method in trained)
            look = next((look for look in self.looks if look > now), None)
            if look is None or any(self.limits.get(method, look) < look for method in sides):
                continue
            counts |= {method: max(counts[method], look) for method in trained}
        return replace(self, counts=counts)


def look_summary(judgement: Judgement, before: SeedCounts, after: SeedCounts) -> str:
    """Say what a look left undecided, and what is trained next."""
    labels = judgement.stored.labels
    more = [
        f"{labels[method]} to {count} seeds"
        for method, count in after.counts.items()
        if count > before.counts[method]
    ]
    undecided = judgement.undecided
    return (
        f"{len(undecided)} of {len(judgement.claims)} hypotheses undecided: "
        f"{'; '.join(map(_comparison, undecided))}; next: {', '.join(more)}"
    )


def verdicts(judgement: Judgement) -> Iterator[str]:
    """Say how each hypothesis was decided, one line for each."""
    for claim in judgement.claims:
        yield f"{short_verdict(claim)}: {_comparison(claim)}"


def _comparison(claim: Claim) -> str:
    after = f", after {claim['look']} trainings" if claim["look"] else ""
    return f"{claim['better']} over {claim['than']} ({claim['metric']}, {claim['protocol']}{after})"

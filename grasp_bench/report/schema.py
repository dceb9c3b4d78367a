"""The shape of board.json: plain JSON, values as fractions in [0, 1], percent only where they are printed."""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict

from grasp_bench.report.across_schema import AcrossDatasets
from grasp_bench.stats.levels import PairTest as PairTest

FORMAT = 12  # part of the cache key: raise it when the shape or the meaning of a number changes
PROTOCOLS = ("full", "sampled")
ALL_PAIRS_OF = 12  # methods whose drops are compared with each other: 66 pairs, each at every rate
# Groups of users and items, and of the step to the target; each is a table.
GROUP_TABLES = {
    "group": ("head_user", "tail_user", "head_item", "tail_item", "repeat", "new"),
    "the last step": (
        "same_time", "later", "ascending", "descending", "seen_transition", "unseen_transition",
    ),
}  # fmt: skip
GROUPS = tuple(group for groups in GROUP_TABLES.values() for group in groups)


class Interval(TypedDict):
    """A mean and its 95 % interval; `low` and `high` are None where one value is all there is."""

    mean: float
    low: float | None
    high: float | None


class Stat(TypedDict):
    """Mean over seeds and its standard deviation (n - 1; None for one seed)."""

    mean: float
    sd: float | None


class Marked(TypedDict):
    """What a method's name is marked by: a row has it, of a ranking or across datasets."""

    label: str
    kind: str
    leaks: list[str]
    substituted: list[str]


class Row(Marked):
    """One method of a ranking; `values` (protocol → group → metric) are means over `seeds`, those of
    `planned_seeds` that are there.

    `kind` is trained, control or imported. A row with `leaks` (sources made from held-out items) has values
    and no place. `substituted` says which of its texts stand in for those that were asked for.
    """

    coordinates: dict[str, Any]
    slugs: list[str]
    seeds: list[int]
    planned_seeds: list[int]
    users: int | None
    values: dict[str, dict[str, dict[str, Stat]]]
    group_users: dict[str, int]
    beyond: dict[str, Stat]
    per_seed: dict[str, dict[str, dict[str, float]]]
    provenance: list[dict[str, Any]]


class DifferenceInterval(TypedDict):
    """A difference and its 95 % interval."""

    difference: float
    low: float
    high: float


class AgainstBest(TypedDict):
    """One exploratory pair: a method against the best of its ranking; without p where it decides nothing."""

    label: str
    test: PairTest
    p_bh: float | None
    p_holm: float | None


class LeftOfGain(TypedDict):
    """A method's gain over its backbone alone, and what is `left` of it on shuffled embeddings."""

    label: str
    over: str
    gain: PairTest
    left: PairTest
    words: str


class RankingTests(TypedDict):
    """All tests of one ranking by one metric; `tier` has the methods not distinguishable from `best`.

    It is empty where `best` was trained once: nobody knows then what another training would give.
    """

    best: str | None
    tier: list[str]
    pairs: list[AgainstBest]
    shuffled: list[LeftOfGain]


class PublishedFigure(TypedDict):
    """One published number beside ours, of the same ranking, as fractions.

    `low` and `high` bound our mean for other users and trainings (stats/intervals.py); `inside` tells whether
    theirs lies between, and is None where nobody knows: without them, or of one training.
    """

    label: str
    table: str
    group: str
    metric: str
    seeds: list[int]
    ours: float
    low: float | None
    high: float | None
    theirs: float
    difference: float
    inside: bool | None


class SourcedEntry(TypedDict):
    """A published row that has a source of its own, beside ours, or alone where `label` is None.

    `theirs` has its figures by metric, `figures` those of them that ours has too.
    """

    published: str
    source: dict[str, Any]
    loss: str | None
    protocol: str
    theirs: dict[str, float]
    label: str | None
    figures: list[PublishedFigure]


class Difference(TypedDict):
    """A fact or setting that is not the same here and there."""

    key: str
    ours: Any
    theirs: Any


class PublishedComparison(TypedDict):
    """What was published beside a ranking: whose figures, on which data, and which have none of ours.

    `figures` are of the tables of one source, sampled ranking; `sourced` tell each its source and ranking.
    """

    source: dict[str, Any]
    dataset: str
    data: list[Difference]
    other_data: bool
    settings: list[Difference]
    groups: list[Difference]
    notes: list[str]
    figures: list[PublishedFigure]
    without_ours: list[str]
    sourced: list[SourcedEntry]


class NoisePoint(Interval):
    """The metric of a method at one rate."""

    rate: float


class NoiseCurve(TypedDict):
    """One method over all rates; `trainings` are those at each.

    `area` is the mean of the metric over the range of rates (trapezoids), `retained` that over its value at
    the lowest rate; both are None while a rate is not there. `below` is the lowest rate, between rates by a
    straight line, from which the method stays below its own backbone alone; None if it does not, or nobody
    knows. `constant`: it reads nothing that is corrupted.
    """

    label: str
    backbone: str | None
    trainings: list[int]
    points: list[NoisePoint]
    area: Interval | None
    retained: Interval | None
    below: float | None
    below_words: str
    constant: bool


class DropTest(DifferenceInterval):
    """What two methods lose from the lowest rate to `rate`: a's drop less b's, users and trainings crossed.

    `p` is None where something was trained once.
    There is one for every pair of up to `ALL_PAIRS_OF` methods, at every rate; of more methods, for each
    against the one that is best at the lowest rate.
    """

    a: str
    b: str
    rate: float
    drop_a: float
    drop_b: float
    p: float | None
    p_adjusted: float | None


class Degradation(TypedDict):
    """One kind of noise, one metric, one ranking (sampled or full)."""

    kind: str
    metric: str
    protocol: str
    rates: list[float]
    curves: list[NoiseCurve]
    drops: list[DropTest]


class Ranking(TypedDict):
    """Rows that may be ranked together; `tests` is protocol → metric.

    `warnings` are sentences of the dataset cards that a reader of every figure must know.
    `noise` has what rows lose under it, one entry for each kind and protocol, by the board's metric.
    """

    protocol_hash: str
    dataset: str
    ties: str
    why_apart: str | None
    warnings: list[str]
    protocols: list[str]
    rows: list[Row]
    tests: dict[str, dict[str, RankingTests]]
    published: PublishedComparison | None
    noise: list[Degradation]


class Claim(TypedDict):
    """A declared hypothesis and its verdict.

    That is supported, refuted or undecided; of a hypothesis with `at_least` (points of percent) better,
    equivalent, worse or undecided; one_training where a side was trained once; untested where nothing could
    be tested. `family` is declared, or noise of those about a `noise` rate above 0: each is corrected by
    itself. `seeds` and `than_seeds` are those that the test is on. Where seeds are added until it is decided,
    `looks` are the trainings at each look, and `look` those of the look by which this one fell, or of the
    last so far.
    """

    better: str
    than: str
    metric: str
    protocol: str
    at_least: float
    noise: float
    family: str
    seeds: list[int]
    than_seeds: list[int]
    looks: list[int]
    look: int | None
    test: PairTest | None
    p_holm: float | None
    verdict: str
    words: str


class LeftOut(TypedDict):
    """A cell that is not on the board and why; `method` as the board names it, if it has a row."""

    slug: str
    method: str
    seed: int | None
    reason: str


class Board(TypedDict):
    """Everything that the renderers show; `across` is there where several datasets are.

    `tuned` maps a method to what a search found for it; boards of older results lack it.
    """

    format: int
    key: str
    name: str
    description: str
    metric: str
    rank_by: str
    rankings: list[Ranking]
    across: AcrossDatasets | None
    claims: list[Claim]
    missing: list[LeftOut]
    left_out: list[LeftOut]
    cards: dict[str, Any]
    tuned: NotRequired[dict[str, Any]]

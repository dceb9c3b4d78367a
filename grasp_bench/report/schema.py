"""The shape of board.json: plain JSON, values as fractions in [0, 1], percent only where they are printed."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from grasp_bench.report.across_schema import AcrossDatasets
from grasp_bench.report.findings.interval import Interval

FORMAT = 10  # part of the cache key: raise it when the shape or the meaning of a number changes
PROTOCOLS = ("full", "sampled")
ALL_PAIRS_OF = 12  # methods whose drops are compared with each other: 66 pairs, each at every rate
GROUPS = ("head_user", "tail_user", "head_item", "tail_item", "repeat", "new")


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


class PairTest(TypedDict):
    """A stats.comparison.Comparison and what corrected it: Holm (tiers, declared) and BH (exploratory)."""

    n: int
    gained: int
    lost: int
    difference: float
    low: float
    high: float
    cohens_dz: float | None
    rank_biserial: float
    p_t: float
    p_wilcoxon: float
    p_permutation: float


class AgainstBest(TypedDict):
    """One exploratory pair: a method against the best of its ranking, on the seeds that both have."""

    label: str
    seeds: list[int]
    test: PairTest
    p_bh: float
    p_holm: float


class LeftOfGain(TypedDict):
    """A method's gain over its backbone alone, and what is `left` of it on shuffled embeddings."""

    label: str
    over: str
    seeds: list[int]
    gain: PairTest
    left: PairTest
    words: str


class RankingTests(TypedDict):
    """All tests of one ranking by one metric; `tier` has the methods not distinguishable from `best`."""

    best: str | None
    tier: list[str]
    pairs: list[AgainstBest]
    shuffled: list[LeftOfGain]


class PublishedFigure(TypedDict):
    """One published number beside ours, of the sampled ranking, as fractions.

    `low` and `high` bound our mean over `seeds` (stats/figure.py); without them nobody knows whether
    theirs lies `inside`.
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


class Difference(TypedDict):
    """A fact or setting that is not the same here and there."""

    key: str
    ours: Any
    theirs: Any


class Beside(TypedDict):
    """What a paper printed beside a ranking: whose figures, on which data, and which have none of ours."""

    source: dict[str, Any]
    dataset: str
    data: list[Difference]
    other_data: bool
    settings: list[Difference]
    groups: list[Difference]
    notes: list[str]
    figures: list[PublishedFigure]
    without_ours: list[str]


class NoisePoint(Interval):
    """The metric of a method at one rate."""

    rate: float


class NoiseCurve(TypedDict):
    """One method over all rates, on the seeds it has at each of them.

    `area` is the mean of the metric over the range of rates (trapezoids), `retained` that over its value at
    the lowest rate; both are None while a rate is not there. `below` is the lowest rate, between rates by a
    straight line, from which the method stays below its own backbone alone; None if it does not, or nobody
    knows. `constant`: it reads nothing that is corrupted.
    """

    label: str
    backbone: str | None
    seeds: list[int]
    points: list[NoisePoint]
    area: Interval | None
    retained: Interval | None
    below: float | None
    below_words: str
    constant: bool


class DropTest(TypedDict):
    """Paired test of how much two methods lose from the lowest rate to `rate`: a's drop less b's.

    There is one for every pair of up to `ALL_PAIRS_OF` methods, at every rate; of more methods, for each
    against the one that is best at the lowest rate.
    """

    a: str
    b: str
    rate: float
    drop_a: float
    drop_b: float
    test: PairTest
    p_adjusted: float


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

    `noise` has what rows lose under it, one entry for each kind and protocol, by the board's metric.
    """

    protocol_hash: str
    dataset: str
    ties: str
    why_apart: str | None
    protocols: list[str]
    rows: list[Row]
    tests: dict[str, dict[str, RankingTests]]
    published: Beside | None
    noise: list[Degradation]


class Claim(TypedDict):
    """A declared hypothesis and its verdict: supported, refuted, undecided or untested.

    `seeds` are those that both methods have and that the test is on.
    """

    better: str
    than: str
    metric: str
    protocol: str
    seeds: list[int]
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
    """Everything that the renderers show; `across` is there where several datasets are."""

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

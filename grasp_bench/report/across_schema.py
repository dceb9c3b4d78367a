"""The shape of `across` in board.json: the same methods on several datasets, compared by their ranks."""

from __future__ import annotations

from typing_extensions import TypedDict


class AcrossRow(TypedDict):
    """One method on all datasets; lists are in the order of `datasets`.

    `places` are among the methods that are ranked, ties averaged; `mean_rank` is None of a method that is not
    ranked: a control, or one that a dataset lacks. `won`, `tied` and `lost` count its pairs with the other
    ranked methods on every dataset; a pair that no test could decide is tied, and `undecided` counts those.
    `part_of_seeds` names the datasets on which planned seeds are missing.
    """

    label: str
    kind: str
    substituted: list[str]
    means: list[float | None]
    places: list[float | None]
    mean_rank: float | None
    won: int
    tied: int
    lost: int
    undecided: int
    part_of_seeds: list[str]


class OutOfRanks(TypedDict):
    """A method or a whole ranking that is not ranked across datasets, and why."""

    label: str
    reason: str


class FriedmanTest(TypedDict):
    """Friedman's test and its F form (stats/mean_ranks.py); `f` is None where it is infinite."""

    chi_square: float
    p: float
    f: float | None
    p_f: float


class RankPair(TypedDict):
    """A method against the one of the best mean rank; `p_holm` is corrected over all pairs of methods."""

    label: str
    z: float
    p: float
    p_holm: float


class AcrossDatasets(TypedDict):
    """Methods by their ranks over datasets, by one metric and protocol.

    `no_verdict` says why there are no tests; then `friedman` is None. `critical_difference`, `groups` (labels
    of methods that are not told apart) and `against_best` are there where Friedman's test is significant.
    """

    metric: str
    protocol: str
    datasets: list[str]
    rows: list[AcrossRow]
    left_out: list[OutOfRanks]
    no_verdict: str | None
    friedman: FriedmanTest | None
    critical_difference: float | None
    groups: list[list[str]]
    against_best: list[RankPair]

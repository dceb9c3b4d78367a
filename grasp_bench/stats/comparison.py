"""Compare methods on the same users: differences, intervals, effect sizes and two-sided tests.

All tests give p = 1 when no user differs, for any n, and never NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grasp_bench.stats.crossed import difference
from grasp_bench.stats.levels import PairTest
from grasp_bench.stats.pairing import Values, checked, paired_differences
from grasp_bench.stats.trainings import Trainings

FLIPS = 9_999
SEED = 20_251_120
_WITH_TIES_EXACT_UPTO = 13  # differing users: 2^13 sign patterns, as in scipy
_FLIPS_AT_ONCE = 16_384
_LOOKUPS_AT_ONCE = 1 << 20  # 8 MiB of indices and as much of looked-up sums
SHARED_FROM = 16  # arrays of differences for which one matrix product is faster than a table each
_FLIPS_OF_A_PRODUCT = 1024
_VALUES_AT_ONCE = 1 << 24  # 128 MiB

# SIGNS_256x8[b] holds the bits of byte b as signs: one random byte flips eight users.
_SIGNS_256x8 = 1.0 - 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)


def paired_t(differences: ArrayLike) -> float:
    """p of Student's paired t-test, the test of the paper.

    p = 1 for a single user. Several users with the same non-zero difference have no spread, t is infinite and
    p = 0 (the permutation test stays above zero).
    """
    d = checked(differences)
    if d.size < 2 or not d.any():
        return 1.0
    if np.ptp(d) == 0:
        return 0.0
    from scipy import stats

    return float(stats.ttest_1samp(d, 0.0).pvalue)


def wilcoxon(differences: ArrayLike) -> float:
    """p of Wilcoxon's signed-rank test; users without a difference are dropped (Wilcoxon's own way).

    Exact up to 50 differing users without ties in size and up to 13 with them, else the normal approximation
    with tie correction (scipy's `method="auto"`). It tests a shift of the median difference: with many small
    losses and few large gains it may disagree with the tests of the mean, which is why boards show it.
    """
    d = checked(differences)
    d = d[d != 0]
    if d.size < 2:
        return 1.0  # of one user both signs are equally extreme
    from scipy import stats

    if d.size <= _WITH_TIES_EXACT_UPTO:
        return _signed_rank_p(d, stats.rankdata(np.abs(d)))
    return float(stats.wilcoxon(d, zero_method="wilcox", method="auto").pvalue)


def _signed_rank_p(d: Values, ranks: Values) -> float:
    """Two-sided p from the rank sums of all sign patterns. scipy's is the same and calls Python for each."""
    sums = np.zeros(1)
    for rank in ranks:
        sums = np.concatenate([sums, sums + rank])
    observed = ranks[d > 0].sum()
    return min(1.0, 2 * min(float(np.mean(sums <= observed)), float(np.mean(sums >= observed))))


def sign_flip(differences: ArrayLike, *, flips: int = FLIPS, seed: int = SEED) -> float:
    """Two-sided p = (b + 1) / (m + 1) of the sign-flip permutation test (Fisher's randomisation test).

    If two methods are exchangeable, each user's difference is equally likely to have the other sign. b of m
    random sign patterns have a mean at least as far from zero (Smucker, Allan & Carterette, "A comparison of
    statistical significance tests for information retrieval evaluation", CIKM 2007). The observed pattern
    counts as one draw (Phipson & Smyth 2010), so p is at least 1/(m + 1). The same seed gives the same p, and
    swapping the methods does not change it.
    """
    d = checked(differences)
    d = np.abs(d[d != 0])
    observed = abs(float(checked(differences).sum()))
    if d.size == 0:
        return 1.0
    sums = _signed_sums(d, flips, np.random.default_rng(seed))
    return _p_of(sums, observed, float(d.sum()))


def sign_flips(differences_PU: Sequence[ArrayLike]) -> list[float]:
    """`sign_flip` of P arrays of differences, (users,) each: the same p, and faster for large P.

    The same random bits flip the k-th differing user of every array, so that the signed sums of many arrays
    are one matrix product.
    """
    if len(differences_PU) < SHARED_FROM:
        return [sign_flip(differences) for differences in differences_PU]
    every = [checked(differences) for differences in differences_PU]
    found: list[float] = []
    at_once = max(1, _VALUES_AT_ONCE // max(d.size for d in every))
    for start in range(0, len(every), at_once):
        found += _sign_flips(every[start : start + at_once])
    return found


def _sign_flips(differences_PU: Sequence[Values]) -> list[float]:
    magnitudes = [np.abs(d[d != 0]) for d in differences_PU]
    columns = -(-max(d.size for d in magnitudes) // 8)
    padded_PU = np.zeros((len(magnitudes), columns * 8))
    for row, d in zip(padded_PU, magnitudes, strict=True):
        row[: d.size] = d
    sums_PF = np.zeros((len(magnitudes), FLIPS))
    rng, step = np.random.default_rng(SEED), max(1, _LOOKUPS_AT_ONCE // FLIPS)
    for start in range(0, columns, step):
        drawn_CF = rng.integers(0, 256, size=(min(step, columns - start), FLIPS), dtype=np.uint8)
        users = padded_PU[:, start * 8 : (start + len(drawn_CF)) * 8]
        for first in range(0, FLIPS, _FLIPS_OF_A_PRODUCT):
            some = drawn_CF[:, None, first : first + _FLIPS_OF_A_PRODUCT]
            signs_UF = 1.0 - 2.0 * np.unpackbits(some, axis=1).reshape(users.shape[1], -1)
            sums_PF[:, first : first + _FLIPS_OF_A_PRODUCT] += users @ signs_UF
    observed = [abs(float(d.sum())) for d in differences_PU]
    return [
        1.0 if d.size == 0 else _p_of(sums, seen, float(d.sum()))
        for d, sums, seen in zip(magnitudes, sums_PF, observed, strict=True)
    ]


def _p_of(sums: Values, observed: float, total: float) -> float:
    # Sums added in another order differ by rounding and must count as equally extreme.
    slack = 1e-12 * total
    return (int(np.count_nonzero(np.abs(sums) >= observed - slack)) + 1) / (sums.size + 1)


def _signed_sums(magnitudes: Values, flips: int, rng: np.random.Generator) -> Values:
    """Sums of randomly signed magnitudes, (flips,).

    The 256 signed sums of each eight users are tabulated once and looked up by a random byte, so that 2e8
    flips take 3e7 lookups.
    """
    columns = -(-magnitudes.size // 8)
    padded = np.zeros(columns * 8)
    padded[: magnitudes.size] = magnitudes
    tables_Cx256 = padded.reshape(columns, 8) @ _SIGNS_256x8.T
    blocks = [
        _block_sums(tables_Cx256, min(_FLIPS_AT_ONCE, flips - start), rng)
        for start in range(0, flips, _FLIPS_AT_ONCE)
    ]
    return np.concatenate(blocks)


def _block_sums(tables_Cx256: NDArray[np.float64], flips: int, rng: np.random.Generator) -> Values:
    total = np.zeros(flips)
    step = max(1, _LOOKUPS_AT_ONCE // flips)
    for start in range(0, len(tables_Cx256), step):
        tables = tables_Cx256[start : start + step]
        offsets = np.arange(len(tables), dtype=np.int64)[:, None] * 256
        drawn = rng.integers(0, 256, size=(len(tables), flips), dtype=np.uint8)
        total += tables.ravel().take(drawn + offsets).sum(axis=0)
    return total


def cohens_dz(differences: ArrayLike) -> float | None:
    """Mean difference over the standard deviation (n - 1) of differences (Cohen 1988; Lakens 2013).

    0 when no user differs. None where it is not defined: one user, or no spread at all.
    """
    d = checked(differences)
    if not d.any():
        return 0.0
    if d.size < 2 or np.ptp(d) == 0:
        return None
    return float(d.mean() / d.std(ddof=1))


def rank_biserial(differences: ArrayLike) -> float:
    """Matched-pairs rank-biserial correlation, in [-1, 1] (Kerby 2014).

    The share of Wilcoxon's rank sum in favour of the first method minus the share against it; users without a
    difference are dropped. 0 when no user differs.
    """
    d = checked(differences)
    d = d[d != 0]
    if d.size == 0:
        return 0.0
    from scipy import stats

    ranks = stats.rankdata(np.abs(d))
    return float((ranks * np.sign(d)).sum() / ranks.sum())


def superiority(first_SU: ArrayLike, second_SU: ArrayLike) -> float:
    """Probability that the first method gives a user a higher value than the second; ties count half.

    Counts over all users and all pairs of trainings, (S, U) and (R, U): the estimate for a new training of
    both and a new user (Bouthillier et al., MLSys 2021, there over trainings alone).
    """
    first, second = np.asarray(first_SU, dtype=float), np.asarray(second_SU, dtype=float)
    halves = sum(
        np.count_nonzero(row > other) + np.count_nonzero(row >= other) for row in first for other in second
    )
    return float(halves) / (2 * len(first) * second.size)


WILCOXON_BELOW = 1_000  # its error grows with the users (Ihemelandu and Ekstrand, SIGIR 2023)


def compare(first: Trainings, second: Trainings) -> PairTest:
    """All tests of two methods on the same users. Raises IncomparableError for different numbers of them."""
    (test,) = compare_all([(first, second)])
    return test


def compare_all(pairs: Sequence[tuple[Trainings, Trainings]]) -> list[PairTest]:
    """All tests of each pair, with the same random draws for all. Raises as `compare`."""
    over_users = [paired_differences(first.users, second.users) for first, second in pairs]
    return [
        _pair_test(first, second, d, p)
        for (first, second), d, p in zip(pairs, over_users, sign_flips(over_users), strict=True)
    ]


def _pair_test(first: Trainings, second: Trainings, d: np.ndarray, p_permutation: float) -> PairTest:
    crossed = difference(first, second)
    low, high = crossed.interval()
    return PairTest(
        n=d.size,
        gained=int(np.count_nonzero(d > 0)),
        lost=int(np.count_nonzero(d < 0)),
        difference=crossed.difference,
        low=low,
        high=high,
        p=crossed.p,
        freedom=crossed.freedom,
        trainings=[0 if each.fixed else each.count for each in (first, second)],
        superiority=superiority(first.values_SU, second.values_SU),
        cohens_dz=cohens_dz(d),
        rank_biserial=rank_biserial(d),
        p_t=paired_t(d),
        p_permutation=p_permutation,
        p_wilcoxon=wilcoxon(d) if d.size < WILCOXON_BELOW else None,
    )

"""Ranking metrics as pure functions of how many candidates beat and tie the one relevant item.

A metric is the gain of each rank up to a cutoff, in [0, 1] and never rising; a user's value is that of the
target's rank. A rank is stored as two counts: `better`, the candidates scored strictly above the target, and
`tied`, the other candidates scored exactly equal to it. The tie policy says what they mean:

- `mean`: the expectation over all orders of the tied items, so that a constant scorer gets exactly
  what chance gets (McSherry & Najork, "Computing information retrieval performance measures
  efficiently in the presence of tied scores", ECIR 2008);
- `optimistic`: the target comes first among its ties; `pessimistic`: it comes last.

With one relevant item per user the ideal DCG is 1, so NDCG@k is 1/log2(1 + rank) within the cutoff.
All functions take int arrays of shape (users,) and return float64 (users,) in [0, 1].

Write TREC's formats of qrels and runs, as trec_eval, ir_measures and ranx read them.

    qrels   user_id 0 item_id 1
    run     user_id Q0 item_id rank score tag

Fields are separated by blanks, so an id may hold none. Blanks, control characters and the percent sign of an
id are percent-encoded (UTF-8, as in a URL); all other characters stay. Nearly all ids are unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import DataError, UnknownNameError
from grasp_bench.core.words import did_you_mean

Counts = NDArray[Any]
Values = NDArray[np.float64]
TIE_POLICIES = ("mean", "optimistic", "pessimistic")


class NDCG:
    """NDCG@k with binary relevance and one relevant item (Järvelin & Kekäläinen, TOIS 2002)."""

    @staticmethod
    def gains(k: int) -> Values:
        """Return the gains (k,) of the ranks 1 to k."""
        return 1.0 / np.log2(np.arange(2, k + 2))


class HR:
    """HR@k: is the target among the first k?"""

    @staticmethod
    def gains(k: int) -> Values:
        """Return the gains (k,) of the ranks 1 to k."""
        return np.ones(k)


class MRR:
    """RR@k: 1/rank within the cutoff, else 0; its mean is MRR@k."""

    @staticmethod
    def gains(k: int) -> Values:
        """Return the gains (k,) of the ranks 1 to k."""
        return 1.0 / np.arange(1, k + 1)


METRICS: dict[str, Callable[[int], Values]] = {each.__name__: each.gains for each in (NDCG, HR, MRR)}
# Gains of further metrics by name and cutoff, as metrics.json holds them.
Gains = Mapping[str, Mapping[str, Sequence[float]]]
NO_GAINS: Gains = {}


def parse(name: str, further: Collection[str] = ()) -> tuple[str, int]:
    """Split "NDCG@10" into ("NDCG", 10); UnknownNameError suggests the nearest metric.

    `further` are names of metrics besides those of `METRICS`.
    """
    known = (*METRICS, *further)
    match = re.fullmatch(r"([A-Za-z][A-Za-z0-9]*)@([1-9][0-9]*)", name)
    if match is None or match[1] not in known:
        stem = name.partition("@")[0]
        raise UnknownNameError(
            f"unknown metric '{name}'{did_you_mean(stem, known)}",
            hint=f"write one of {', '.join(known)} and a cutoff, e.g. NDCG@10",
        )
    return match[1], int(match[2])


def per_user(metric: str, better: Counts, tied: Counts, ties: str, further: Gains = NO_GAINS) -> Values:
    """Values of a metric such as "NDCG@10", one per user; `further` has the gains of other metrics."""
    name, k = parse(metric, further)
    gains_K = METRICS[name](k) if name in METRICS else np.asarray(further[name][str(k)])
    return _expected_gain(better, tied, gains_K, ties)


def _expected_gain(better: Counts, tied: Counts, gains_K: Values, ties: str) -> Values:
    """Mean of `gains_K[rank - 1]` over the ranks that the policy lets the target take."""
    better = np.asarray(better, dtype=np.int64)
    tied = np.asarray(tied, dtype=np.int64)
    # cumulative_K1[r] is the summed gain of ranks 1..r; ranks beyond the cutoff gain nothing.
    cumulative_K1 = np.concatenate([[0.0], np.cumsum(gains_K)])
    last = len(gains_K)
    if ties == "mean":
        first, count = better, tied + 1
    elif ties == "optimistic":
        first, count = better, np.ones_like(tied)
    elif ties == "pessimistic":
        first, count = better + tied, np.ones_like(tied)
    else:
        raise UnknownNameError(
            f"unknown tie policy '{ties}'", hint=f"choose one of: {', '.join(TIE_POLICIES)}"
        )
    gained = cumulative_K1[np.minimum(first + count, last)] - cumulative_K1[np.minimum(first, last)]
    mean: Values = gained / count
    return mean.clip(0.0, 1.0)  # cumulative sums may exceed 1 by one rounding


def quoted(identifier: str) -> str:
    """Encode an id as one field; DataError for an empty id."""
    if not identifier:
        raise DataError(
            "an empty id cannot stand in a TREC file", hint="name every user and item in the data"
        )
    if identifier.isprintable() and " " not in identifier and "%" not in identifier:
        return identifier
    return "".join(_encoded(character) for character in identifier)


def unquoted(field: str) -> str:
    """Decode a field made by `quoted`."""
    return unquote(field, errors="strict") if "%" in field else field


def qrels_line(user: str, item: str) -> str:
    """Return the line of one relevant item; ids are fields."""
    return f"{user} 0 {item} 1\n"


def run_lines(user: str, items: Iterable[str], scores: Iterable[str], tag: str) -> str:
    """Return the lines of a user's list, best first, ranks from 1; ids and scores are fields."""
    listed = enumerate(zip(items, scores, strict=True), start=1)
    return "".join([f"{user} Q0 {item} {rank} {score} {tag}\n" for rank, (item, score) in listed])


def _encoded(character: str) -> str:
    plain = character.isprintable() and character not in " %"
    return character if plain else quote(character, safe="")

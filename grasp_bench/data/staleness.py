"""Histories as they were some interactions ago, and how often a profile that old is made anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grasp_bench.data.splits import Ints, Offsets


def some_ago(items: Ints, offsets: Offsets, stale: int) -> tuple[Ints, Offsets]:
    """Flat items and (n + 1,) offsets of histories, oldest first, without the latest `stale` of each.

    The oldest interaction always stays: a first profile is made as soon as there is anything to make it
    of. Who has no history has none afterwards.
    """
    kept = _kept(offsets, stale)
    lengths = np.diff(offsets)
    place = np.arange(len(items)) - np.repeat(offsets[:-1], lengths)
    return items[place < np.repeat(kept, lengths)], np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)


def staleness_facts(offsets: Offsets, stale: int) -> dict[str, int]:
    """How many interactions were left out, and of how many users the oldest stayed though it is younger."""
    lengths = np.diff(offsets)
    return {
        "interactions": stale,
        "left_out": int((lengths - _kept(offsets, stale)).sum()),
        "oldest_kept": int(((lengths > 0) & (lengths <= stale)).sum()),
    }


def made_anew(offsets: Offsets, stale: int) -> NDArray[np.bool_]:
    """At which interactions (T,) a profile is made, if it may be `stale` interactions old and no older.

    At the first of each user, and at every (stale + 1)-th after it: with 0 at every one.
    """
    lengths = np.diff(offsets)
    place = np.arange(int(lengths.sum())) - np.repeat(offsets[:-1] - offsets[0], lengths)
    made: NDArray[np.bool_] = place % (stale + 1) == 0
    return made


def _kept(offsets: Offsets, stale: int) -> NDArray[np.int64]:
    lengths = np.diff(offsets)
    kept: NDArray[np.int64] = np.maximum(lengths - stale, np.minimum(lengths, 1))
    return kept

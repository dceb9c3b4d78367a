"""Metrics of recommendation lists beyond accuracy: coverage, novelty, Gini, cross-category share.

Shape suffixes: Q users, k recommended items each, m items of the catalogue.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Items = NDArray[Any]


def coverage(recommended_Qk: Items, num_items: int) -> float:
    """Share of the catalogue that is recommended to at least one user, in [0, 1]."""
    return len(np.unique(recommended_Qk)) / num_items


def novelty(recommended_Qk: Items, counts_m: NDArray[Any]) -> float:
    """Mean self-information −log₂ p(i) in bits, p(i) the item's share of training interactions with
    one added to every count (Zhou et al., PNAS 2010)."""
    smoothed_m = counts_m + 1.0
    information_m = -np.log2(smoothed_m / smoothed_m.sum())
    return float(information_m[recommended_Qk].mean())


def gini(recommended_Qk: Items, num_items: int) -> float:
    """Gini index of how often each item is recommended: 0 if all equally, towards 1 if few take all."""
    exposure_m = np.sort(np.bincount(recommended_Qk.ravel(), minlength=num_items)).astype(np.float64)
    rank_m = np.arange(1, num_items + 1)
    return float(((2 * rank_m - num_items - 1) * exposure_m).sum() / (num_items * exposure_m.sum()))


def cross_category(
    recommended_Qk: Items, categories_m: NDArray[Any], history_Q: NDArray[Any], history_items: Items
) -> float | None:
    """Share of recommendations outside the categories of the user's own history (paper, 4.2).

    Args:
        categories_m: category number of each item, −1 where unknown; such items are left out.
        history_Q: which row of `recommended_Qk` each history item belongs to, sorted or not.
        history_items: the history items, aligned to `history_Q`.

    Returns None when no recommended item has a category.
    """
    num_categories = int(categories_m.max(initial=-1)) + 1
    recommended_category = categories_m[recommended_Qk]
    known = recommended_category >= 0
    if not known.any():
        return None
    own = categories_m[history_items]
    seen = np.unique(history_Q[own >= 0].astype(np.int64) * num_categories + own[own >= 0])
    rows = np.arange(len(recommended_Qk))[:, None] * num_categories
    inside = np.isin((rows + recommended_category)[known], seen)
    return float(1.0 - inside.mean())

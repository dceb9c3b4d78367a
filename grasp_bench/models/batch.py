"""What a recommender is asked: the histories it reads and the candidates it scores.

Shape suffixes: B sequences (one user each), T tokens of all histories, S rows of candidates, K
candidates a row, F constant features of a (user, item) pair.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from grasp_bench.models.layout import Layout


@dataclass(frozen=True)
class History:
    """Flat item sequences of B users.

    `features_TF` are the enhancer's `pair_features`, if known. `masked_T` (bool) marks items that the
    backbone does not get to see: their vectors do not matter, and no other vector may depend on them.
    """

    users_B: Tensor
    items_T: Tensor
    layout: Layout
    features_TF: Tensor | None = None
    masked_T: Tensor | None = None

    def users_T(self) -> Tensor:
        """The user of each token."""
        return self.users_B[self.layout.sequence_T]


@dataclass(frozen=True)
class Candidates:
    """K items to score in each of S rows.

    Row s belongs to sequence `sequence_S[s]` and stands behind `prior_S[s]` of its items: position
    + 1 when the next item is predicted, the position itself when a masked item is filled in, the
    whole length at inference.
    """

    items_SK: Tensor
    sequence_S: Tensor
    prior_S: Tensor
    features_SKF: Tensor | None = None

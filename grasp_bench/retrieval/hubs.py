"""Hubs and clones of a neighbour table: who is everybody's neighbour, and who cannot be told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HUBS = 0.01  # share of entities whose share of all places is told
SAME = 0.9999  # cosine from which two vectors are one text to any method (bfloat16 has three digits)


@dataclass(frozen=True)
class Hubness:
    """How evenly an (n, N) table's places are taken.

    `top_share`: share of all places that the most frequent 1 % of entities take; `never`: share of
    entities that are nobody's neighbour; `skewness` of how often entities come, the measure of Radovanović
    et al. ("Hubs in space", JMLR 11, 2010): 0 for even tables, above 1.4 by their count strongly hubbed.
    `most` is the (entity, times) that comes most often. `clones`: share of entities whose nearest
    neighbour is the same vector.
    """

    top_share: float
    never: float
    skewness: float
    most: tuple[int, int]
    clones: float


def hubness(indices: np.ndarray, similarities: np.ndarray) -> Hubness | None:
    """Count a neighbour table's places, (n, N) each, -1 where nobody is; None when all are empty."""
    real = indices >= 0
    if not real.any():
        return None
    times = np.bincount(indices[real], minlength=len(indices))
    top = max(round(HUBS * len(times)), 1)
    spread = times.std()
    return Hubness(
        top_share=float(np.sort(times)[-top:].sum() / times.sum()),
        never=float((times == 0).mean()),
        skewness=float(((times - times.mean()) ** 3).mean() / spread**3) if spread else 0.0,
        most=(int(times.argmax()), int(times.max())),
        clones=float((real[:, 0] & (similarities[:, 0] >= SAME)).mean()),
    )

"""K-means of several groups of vectors at once.

Shape suffixes: G groups (subspaces, or one), m vectors, D width, K centres.
"""

from __future__ import annotations

import torch
from torch import Tensor

DISTANCES_AT_ONCE = 1 << 20  # floats; larger blocks are fresh memory, which is cleared each time
ROUNDING = 1e-6  # of a squared length: a distance below it is 0


def kmeans(
    vectors_GmD: Tensor, count: int, generator: torch.Generator, iterations: int,
    centres_GKD: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return centres (G, K, D) and the nearest centre of each vector (G, m) after Lloyd's algorithm.

    Starts from the given centres, or from those of k-means++ (Arthur and Vassilvitskii, SODA 2007).
    Stops when no vector changes its centre. A centre without vectors moves to the one that is farthest
    from its own. K is `count`, or m where there are fewer vectors.
    """
    if centres_GKD is None:
        centres_GKD = spread_centres(vectors_GmD, min(count, vectors_GmD.shape[1]), generator)
    nearest_Gm, distance_Gm = assign(vectors_GmD, centres_GKD)
    for _ in range(iterations):
        centres_GKD = _means(vectors_GmD, nearest_Gm, distance_Gm, centres_GKD.shape[1])
        before_Gm = nearest_Gm
        nearest_Gm, distance_Gm = assign(vectors_GmD, centres_GKD)
        if torch.equal(nearest_Gm, before_Gm):
            break
    return centres_GKD, nearest_Gm


def assign(vectors_GmD: Tensor, centres_GKD: Tensor) -> tuple[Tensor, Tensor]:
    """Return each vector's nearest centre (G, m), and its squared distance (G, m)."""
    block = max(1, DISTANCES_AT_ONCE // (len(centres_GKD) * centres_GKD.shape[1]))
    squares_G1K = centres_GKD.square().sum(2)[:, None]
    found = [
        (squares_G1K - 2 * part_GbD @ centres_GKD.transpose(1, 2)).min(2)
        for part_GbD in vectors_GmD.split(block, dim=1)
    ]
    nearest_Gm = torch.cat([each.indices for each in found], dim=1)
    distance_Gm = torch.cat([each.values for each in found], dim=1) + vectors_GmD.square().sum(2)
    return nearest_Gm, distance_Gm.clamp_min_(0)


def rows_of(centres_GKD: Tensor, nearest_Gm: Tensor) -> Tensor:
    """Return each vector's centre (G, m, D)."""
    return centres_GKD.gather(1, nearest_Gm[:, :, None].expand(-1, -1, centres_GKD.shape[2]))


def spread_centres(vectors_GmD: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draw centres among the vectors by k-means++: each in proportion to its squared distance from those
    before it; where all distances are 0, uniformly."""
    groups, rows, _ = vectors_GmD.shape
    every = torch.arange(groups, device=vectors_GmD.device)
    squares_Gm = vectors_GmD.square().sum(2)
    distance_Gm = vectors_GmD.new_ones(groups, rows)
    chosen = []
    for number in range(count):
        weights_Gm = distance_Gm.double().cumsum(1)
        weights_Gm = torch.where(
            weights_Gm[:, -1:] > 0, weights_Gm, torch.arange(1, rows + 1, device=weights_Gm.device)
        )
        drawn_G = torch.rand(groups, dtype=torch.float64, generator=generator, device=weights_Gm.device)
        row_G1 = torch.searchsorted(weights_Gm, drawn_G[:, None] * weights_Gm[:, -1:], right=True)
        centre_GD = vectors_GmD[every, row_G1[:, 0].clamp_max(rows - 1)]
        chosen.append(centre_GD)
        products_Gm = (vectors_GmD @ centre_GD[:, :, None])[:, :, 0]
        away_Gm = squares_Gm - 2 * products_Gm + centre_GD.square().sum(1)[:, None]
        away_Gm = away_Gm.where(away_Gm > ROUNDING * squares_Gm, 0.0)
        distance_Gm = away_Gm if number == 0 else torch.minimum(distance_Gm, away_Gm)
    return torch.stack(chosen, dim=1)


def _means(vectors_GmD: Tensor, nearest_Gm: Tensor, distance_Gm: Tensor, count: int) -> Tensor:
    """Return the mean of each centre's vectors; one without any moves to the vector farthest from its own."""
    groups, _, width = vectors_GmD.shape
    flat = (nearest_Gm + count * torch.arange(groups, device=nearest_Gm.device)[:, None]).flatten()
    sums = vectors_GmD.new_zeros(groups * count, width).index_add_(0, flat, vectors_GmD.flatten(0, 1))
    sizes = torch.bincount(flat, minlength=groups * count)
    centres_GKD = (sums / sizes.clamp_min(1)[:, None]).view(groups, count, width)
    for group, empty in enumerate(sizes.view(groups, count) == 0):
        if bool(empty.any()):
            farthest = distance_Gm[group].topk(int(empty.sum())).indices
            centres_GKD[group, empty] = vectors_GmD[group, farthest]
    return centres_GKD

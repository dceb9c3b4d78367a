"""Optimised product quantisation, by numpy's and torch's own routines: FAISS would be a dependency of
30 MB for this one algorithm, and its k-means cannot be seeded for each subspace.

Shape suffixes: m items, D width, G subspaces (levels), d width of one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from grasp_bench.core.errors import DataError
from grasp_bench.semantic_ids.base import Items, Quantised, Quantiser
from grasp_bench.semantic_ids.kmeans import kmeans, rows_of
from grasp_bench.semantic_ids.settings import OPQSettings

FIRST_ITERATIONS = 10  # of k-means, between two rotations


class OPQ(Quantiser[OPQSettings]):
    """Ge et al., "Optimized Product Quantization for Approximate Nearest Neighbor Search", CVPR 2013.

    Starts from the parametric solution (section 3.2: principal directions, dealt out so that the
    products of their variances are balanced), then fits codes and rotation to each other in turn
    (section 3.1). Of a width that is no multiple of the levels, the directions of least variance are
    left out.
    """

    def quantise(
        self, items: Items, generator: torch.Generator, progress: Callable[[int, int], None]
    ) -> Quantised:
        """Code the items; DataError for vectors with fewer dimensions than levels."""
        settings, vectors_mD = self.settings, items.vectors()
        if vectors_mD.shape[1] < settings.levels:
            raise DataError(
                f"semantic_ids.levels {settings.levels}: opq cuts vectors into as many parts, and these have "
                f"{vectors_mD.shape[1]} dimensions",
                hint="lower semantic_ids.levels, or use wider embeddings",
            )
        mean_D = vectors_mD.mean(0)
        centred_mD = vectors_mD - mean_D
        rotation_DE = balanced_directions(centred_mD, settings.levels)
        centres_GKd: Any = None  # of the rotation before
        for turn in range(settings.rotations + 1):
            last = turn == settings.rotations
            parts_Gmd = _parts(centred_mD @ rotation_DE, settings.levels)
            iterations = settings.kmeans_iterations if last else FIRST_ITERATIONS
            centres_GKd, nearest_Gm = kmeans(
                parts_Gmd, settings.codebook_size, generator, iterations, centres_GKd
            )
            rebuilt_mE = rows_of(centres_GKd, nearest_Gm).transpose(0, 1).flatten(1)
            if not last:
                rotation_DE = best_rotation(centred_mD, rebuilt_mE)
            progress(turn + 1, settings.rotations + 1)
        rebuilt_mD = rebuilt_mE @ rotation_DE.T + mean_D
        return Quantised(nearest_Gm.T.contiguous(), rebuilt_mD, parts_Gmd[-1], centres_GKd[-1])


def balanced_directions(centred_mD: Tensor, groups: int) -> Tensor:
    """Return principal directions (D, E), E = groups · ⌊D/groups⌋, group after group.

    The direction of largest variance left goes to the group with room whose product of variances is smallest.
    """
    variances_D, directions_DD = torch.linalg.eigh(centred_mD.T.double() @ centred_mD.double())
    room = centred_mD.shape[1] // groups
    dealt: list[list[int]] = [[] for _ in range(groups)]
    logs = [0.0] * groups
    logarithms = variances_D.clamp_min(1e-30).log().tolist()
    for direction in range(len(logarithms) - 1, len(logarithms) - 1 - groups * room, -1):
        free = [group for group in range(groups) if len(dealt[group]) < room]
        group = min(free, key=lambda each: (len(dealt[each]) > 0, logs[each]))
        dealt[group].append(direction)
        logs[group] += logarithms[direction]
    return directions_DD[:, [direction for group in dealt for direction in group]].to(centred_mD.dtype)


def best_rotation(centred_mD: Tensor, rebuilt_mE: Tensor) -> Tensor:
    """Return the matrix (D, E) with orthonormal columns that brings vectors nearest to those that their codes
    stand for (orthogonal Procrustes)."""
    left, _, right = torch.linalg.svd(centred_mD.T @ rebuilt_mE, full_matrices=False)
    return left @ right


def _parts(rotated_mE: Tensor, groups: int) -> Tensor:
    """Cut vectors into their subspaces: (G, m, d)."""
    return rotated_mE.unflatten(1, (groups, -1)).transpose(0, 1).contiguous()

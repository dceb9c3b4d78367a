"""Residual k-means."""

from __future__ import annotations

from collections.abc import Callable

import torch

from grasp_bench.semantic_ids.base import Items, Quantised, Quantiser
from grasp_bench.semantic_ids.kmeans import kmeans, rows_of
from grasp_bench.semantic_ids.settings import RQKMeansSettings


class RQKMeans(Quantiser[RQKMeansSettings]):
    """Level l clusters x − c₁ − … − c₍l−1₎, the vectors less the centres of the levels before it."""

    def quantise(
        self, items: Items, generator: torch.Generator, progress: Callable[[int, int], None]
    ) -> Quantised:
        """Code the items level by level."""
        settings, left_mD = self.settings, items.vectors().clone()
        codes = []
        for level in range(settings.levels):
            centres, nearest = kmeans(
                left_mD[None], settings.codebook_size, generator, settings.kmeans_iterations
            )
            before_mD, left_mD = left_mD, left_mD - rows_of(centres, nearest)[0]
            codes.append(nearest[0])
            progress(level + 1, settings.levels)
        return Quantised(torch.stack(codes, dim=1), items.vectors() - left_mD, before_mD, centres[0])

"""Residual k-means against plain loops over levels and items."""

from __future__ import annotations

import torch

from grasp_bench.semantic_ids.base import Items
from grasp_bench.semantic_ids.kmeans import kmeans
from grasp_bench.semantic_ids.residual import RQKMeans
from grasp_bench.semantic_ids.settings import RQKMeansSettings

ITEMS, WIDTH, CODES = 80, 6, 5


def test_each_level_clusters_what_the_ones_before_left() -> None:
    vectors = torch.randn(ITEMS, WIDTH, generator=torch.Generator().manual_seed(1))
    settings = RQKMeansSettings(levels=4, codebook_size=CODES)
    found = RQKMeans(settings).quantise(
        Items([str(k) for k in range(ITEMS)], vectors), torch.Generator().manual_seed(7), lambda *_: None
    )
    generator = torch.Generator().manual_seed(7)
    left = [row.clone() for row in vectors]
    rebuilt = [torch.zeros(WIDTH) for _ in vectors]
    for level in range(4):
        centres, nearest = kmeans(torch.stack(left)[None], CODES, generator, settings.kmeans_iterations)
        if level == 3:
            assert found.left_mE is not None
            assert found.last_KE is not None
            torch.testing.assert_close(found.left_mE, torch.stack(left))
            torch.testing.assert_close(found.last_KE, centres[0])
        for item in range(ITEMS):
            code = int(torch.stack([(left[item] - centre).norm() for centre in centres[0]]).argmin())
            assert code == nearest[0, item]
            assert code == found.codes_mL[item, level]
            rebuilt[item] = rebuilt[item] + centres[0, code]
            left[item] = left[item] - centres[0, code]
    assert found.rebuilt_mD is not None
    torch.testing.assert_close(found.rebuilt_mD, torch.stack(rebuilt), atol=1e-5, rtol=1e-5)


def test_more_levels_leave_less() -> None:
    vectors = torch.randn(ITEMS, WIDTH, generator=torch.Generator().manual_seed(1))
    left = []
    for levels in (1, 2, 4, 8):
        method = RQKMeans(RQKMeansSettings(levels=levels, codebook_size=CODES))
        rebuilt = method.quantise(
            Items(["?"] * ITEMS, vectors), torch.Generator().manual_seed(0), lambda *_: None
        ).rebuilt_mD
        assert rebuilt is not None
        left.append(float((vectors - rebuilt).square().sum()))
    assert left == sorted(left, reverse=True)
    assert left[-1] < left[0] / 3

"""Markov controls on the real amazon-beauty, against figures that were measured by other code.

Items of one day lie in the order of their ids there, which a chain in one direction learns: it fails where
the test id is below the validation id.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from grasp_bench.controls.base import Control
from grasp_bench.controls.markov import Markov, MarkovSymmetric
from grasp_bench.core.ranks import per_user
from grasp_bench.data.prepare import Prepared, prepare
from grasp_bench.data.splits import Split, leave_one_out
from grasp_bench.evaluation.ranker import Queries, Ranker
from grasp_bench.spec.dataset import Dataset


@pytest.fixture(scope="module")
def beauty(data_root: Path) -> tuple[Prepared, Split]:
    prepared = prepare(Dataset(source=str(data_root / "amazon-beauty")))
    return prepared, leave_one_out(prepared.sequences)


@pytest.mark.parametrize(
    ("control", "overall", "against_the_ids", "tolerance"),
    [(Markov, 4.39, 1.58, 0.01), (MarkovSymmetric, 4.03, 2.53, 0.1)],
)
def test_full_ndcg_is_what_others_measured(
    beauty, control: type[Control], overall: float, against_the_ids: float, tolerance: float
) -> None:
    prepared, split = beauty
    items, offsets = split.known()
    users, targets, flat, starts = (
        torch.from_numpy(part.astype(np.int64))
        for part in (split.test_users, split.test_items, items, offsets)
    )
    ranker = Ranker(Queries(users, targets, targets[:, None], flat, starts), int(starts.diff().max()))
    ranks = ranker.full(control.fit(split, None), 10, exclude_history=True)[1].ranks
    values = 100 * per_user("NDCG@10", ranks.better.numpy(), ranks.tied.numpy(), "mean")
    ids = np.array(prepared.sequences.item_ids)
    assert values.mean() == pytest.approx(overall, abs=tolerance)
    below = ids[split.test_items] < ids[split.valid_items]
    assert values[below].mean() == pytest.approx(against_the_ids, abs=tolerance)

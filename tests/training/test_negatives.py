from __future__ import annotations

import pytest
import torch
from scipy import stats

from grasp_bench.core.errors import DataError
from grasp_bench.training.checkpoint import generator
from grasp_bench.training.losses import NegativeSampler
from grasp_bench.training.sequences import Sequences


def sequences(histories: list[list[int]], num_items: int) -> Sequences:
    offsets = torch.tensor([0, *[len(h) for h in histories]]).cumsum(0)
    return Sequences(torch.tensor([i for h in histories for i in h]), offsets, num_items)


def test_negatives_are_never_known_and_cover_the_rest_evenly():
    known = [[0, 1, 2, 3, 3], [9]]
    sampler = NegativeSampler(sequences(known, 10))
    users = torch.tensor([0, 1]).repeat_interleave(6000)
    drawn = sampler.draw(users, generator(torch.device("cpu"), 1)).view(2, -1)
    for row, history in zip(drawn, known, strict=True):
        counts = torch.bincount(row, minlength=10)
        rest = [i for i in range(10) if i not in history]
        assert counts[history].sum() == 0
        assert stats.chisquare(counts[rest].numpy()).pvalue > 1e-4


def test_a_user_who_knows_all_but_one_item_gets_that_one():
    sampler = NegativeSampler(sequences([list(range(49))], 50))
    drawn = sampler.draw(torch.zeros(30, dtype=torch.int64), generator(torch.device("cpu"), 1))
    assert set(drawn.tolist()) == {49}


def test_a_user_who_knows_everything_is_refused():
    with pytest.raises(DataError, match="user number 1 has every item"):
        NegativeSampler(sequences([[0], [0, 1, 2]], 3))


def test_the_same_purpose_draws_the_same():
    sampler = NegativeSampler(sequences([[0, 1]], 100))
    users = torch.zeros(50, dtype=torch.int64)
    cpu = torch.device("cpu")
    first, second, other = (sampler.draw(users, generator(cpu, 7, "epoch", epoch)) for epoch in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)

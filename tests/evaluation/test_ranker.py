"""The streaming ranker against ranks counted one user at a time in plain Python."""

from __future__ import annotations

import pytest
import torch

from grasp_bench.core import ranks as metrics
from grasp_bench.core.errors import TrainingError
from grasp_bench.evaluation import ranker as ranker_module
from grasp_bench.evaluation.ranker import Queries, Ranker
from grasp_bench.models.enhancers.base import Knowledge
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.model import Model

USERS, ITEMS, NEGATIVES = 37, 60, 9


def knowledge() -> Knowledge:
    g = torch.Generator().manual_seed(0)
    return Knowledge(*(torch.randn(n, 6, generator=g) for n in (USERS, USERS, ITEMS, ITEMS)))


def recommender(enhancer: str, backbone: str = "sasrec") -> Recommender:
    torch.manual_seed(1)
    settings = Model(backbone=backbone, enhancer=enhancer, embedding_dim=8, max_len=6).effective()
    return Recommender.from_settings(settings, USERS, ITEMS, knowledge() if enhancer == "grasp" else None)


@pytest.fixture
def queries() -> Queries:
    g = torch.Generator().manual_seed(2)
    lengths = torch.randint(1, 11, (USERS,), generator=g)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    items = torch.randint(ITEMS, (int(lengths.sum()),), generator=g)
    targets = torch.randint(ITEMS, (USERS,), generator=g)
    targets[3] = items[offsets[3]]  # a repeat: the target is in the history
    steps = [1 + torch.randperm(ITEMS - 1, generator=g)[:NEGATIVES] for _ in targets]
    negatives = (targets[:, None] + torch.stack(steps)) % ITEMS
    return Queries(torch.arange(USERS), targets, negatives, items, offsets)


def scores_of(model: Recommender, queries: Queries, user: int, max_len: int) -> torch.Tensor:
    """Scores of all items for one user, from public parts of the model, alone in its batch."""
    from grasp_bench.models.batch import Candidates, History
    from grasp_bench.models.layout import Layout

    model.eval()
    items = queries.items_flat[queries.offsets[user] : queries.offsets[user + 1]][-max_len:]
    history = History(torch.tensor([user]), items, Layout(torch.tensor([len(items)])))
    everything = Candidates(torch.arange(ITEMS)[None], torch.tensor([0]), torch.tensor([len(items)]))
    with torch.no_grad():
        vectors = model.enhancer.embed(history, everything)[1][0]
        return vectors @ model.states(history)[0]


@pytest.mark.parametrize("backbone", ["sasrec", "gru4rec", "bert4rec"])
@pytest.mark.parametrize("enhancer", ["none", "grasp"])
@pytest.mark.parametrize("exclude_history", [True, False])
def test_ranks_are_those_counted_by_hand(queries, enhancer, backbone, exclude_history, monkeypatch):
    monkeypatch.setattr(ranker_module, "LARGEST_CHUNK", 7)
    model = recommender(enhancer, backbone)
    sampled, full = Ranker(queries, 6).full(model, 5, exclude_history)
    again = Ranker(queries, 6).sampled(model)
    alone = Ranker(queries, 6).in_catalogue(model, exclude_history)
    assert torch.equal(alone.better, full.ranks.better)
    assert torch.equal(alone.tied, full.ranks.tied)
    for user in range(USERS):
        scores = scores_of(model, queries, user, 6).tolist()
        target = int(queries.targets_Q[user])
        above = [i for i in queries.negatives_QK[user].tolist() if scores[i] > scores[target] + 1e-6]
        assert int(sampled.better[user]) == int(again.better[user]) == len(above)
        known = set(queries.items_flat[queries.offsets[user] : queries.offsets[user + 1]].tolist())
        pool = [i for i in range(ITEMS) if i == target or not (exclude_history and i in known)]
        assert int(full.ranks.better[user]) == sum(scores[i] > scores[target] + 1e-6 for i in pool)
        best = sorted(pool, key=lambda i: -scores[i])[:5]
        torch.testing.assert_close(
            torch.tensor([scores[i] for i in full.recommendations[user].tolist()]),
            torch.tensor([scores[i] for i in best]),
        )


def test_repeated_passes_use_kept_features_and_agree(queries):
    model = recommender("grasp")
    ranker = Ranker(queries, 6)
    first, second = ranker.sampled(model), ranker.sampled(model)
    assert torch.equal(first.better, second.better)


def test_a_constant_model_scores_at_chance(queries):
    model = recommender("none")
    torch.nn.init.zeros_(model.enhancer.table.weight)
    sampled, full = Ranker(queries, 6).full(model, 5, exclude_history=False)
    for ranks, pool in ((sampled, NEGATIVES + 1), (full.ranks, ITEMS)):
        values = metrics.per_user("HR@3", ranks.better.numpy(), ranks.tied.numpy(), "mean")
        assert values.mean() == pytest.approx(3 / pool)


@pytest.mark.parametrize("memory_mb", [1, 512])
def test_chunk_size_changes_nothing(queries, memory_mb):
    model = recommender("grasp")
    wide = Ranker(queries, 6).full(model, 5, True)[1]
    narrow = Ranker(queries, 6, memory_mb).full(model, 5, True)[1]
    assert torch.equal(wide.ranks.better, narrow.ranks.better)


def test_nan_scores_name_the_user(queries):
    model = recommender("none")
    with torch.no_grad():
        model.enhancer.table.weight[int(queries.targets_Q[5])] = torch.nan
    with pytest.raises(TrainingError, match="NaN for user number"):
        Ranker(queries, 6).sampled(model)


def test_one_ranker_may_rank_by_both_protocols_in_chunks_of_different_size(queries, monkeypatch):
    model = recommender("grasp")
    ranker = Ranker(queries, 6)
    monkeypatch.setattr(ranker_module, "LARGEST_CHUNK", 7)
    sampled = ranker.sampled(model)
    monkeypatch.setattr(ranker_module, "LARGEST_CHUNK", 16)
    assert torch.equal(ranker.full(model, 5, True)[0].better, sampled.better)

"""Losses by hand, and the partition function against torch's own cross-entropy."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from grasp_bench.spec.training import Loss
from grasp_bench.training import partition
from grasp_bench.training.checkpoint import generator
from grasp_bench.training.losses import GeneralisedBinaryCrossEntropy, SharedNegatives
from grasp_bench.training.partition import mean_log_partition
from grasp_bench.training.sequences import Sequences

CPU = torch.device("cpu")


@pytest.mark.parametrize("at_once", [1, 5_000, 1 << 22])
@pytest.mark.parametrize("scale", [0.1, 5.0])
def test_the_partition_and_its_gradients_are_those_of_cross_entropy(at_once, scale, monkeypatch):
    monkeypatch.setattr(partition, "SCORES_AT_ONCE", at_once)
    torch.manual_seed(3)
    states = (scale * torch.randn(70, 16)).requires_grad_()
    vectors = torch.randn(1_500, 16, requires_grad=True)
    targets = torch.randint(1_500, (70,))
    expected = F.cross_entropy(states @ vectors.T, targets)
    found = mean_log_partition(states, vectors) - (states * vectors[targets]).sum(1).mean()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(
        torch.autograd.grad(3 * found, [states, vectors]),
        torch.autograd.grad(3 * expected, [states, vectors]),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def sequences() -> Sequences:
    items = torch.tensor([0] * 40 + [1] * 30 + [2] * 20 + [3] * 9 + [4])
    return Sequences(items, torch.tensor([0, 100]), 6)


@pytest.mark.parametrize("sampling", ["uniform", "popularity"])
def test_the_corrected_sum_over_negatives_estimates_that_over_the_other_items(sampling):
    """Mean over many draws of Σ exp(s)/E, the target left out, against Σ over all other items it can draw."""
    scores = torch.tensor([0.5, -1.0, 2.0, 0.1, 1.5, 0.7])
    shared, draws = SharedNegatives(sequences(), 50, sampling), generator(CPU, 2)
    target, sums = 2, []
    for _ in range(4_000):
        items, log_expected = shared.draw(torch.tensor([target]), draws)
        sums.append(float(((scores[items] - log_expected).exp() * (items != target)).sum()))
    can_be_drawn = [0, 1, 3, 4, 5] if sampling == "uniform" else [0, 1, 3, 4]
    expected = float(scores[can_be_drawn].exp().sum())
    spread = torch.tensor(sums).std() / len(sums) ** 0.5
    assert abs(sum(sums) / len(sums) - expected) < 4 * float(spread)


def test_negatives_of_the_batch_are_its_targets():
    shared = SharedNegatives(sequences(), 30, "in_batch")
    items, log_expected = shared.draw(torch.tensor([3, 3, 1]), generator(CPU, 1))
    assert set(items.tolist()) == {1, 3}
    shares = torch.tensor([0.4, 0.3, 0.2, 0.09, 0.01])
    torch.testing.assert_close(log_expected, (30 * shares[items]).log())


def test_gbce_is_bce_without_calibration_and_scores_as_if_nothing_were_sampled_with_all_of_it():
    """β of gSASRec, equation 7: t = 0 gives 1, t = 1 gives the sampling rate."""
    for t, beta in ((0.0, 1.0), (1.0, 10 / 100), (0.75, 0.325)):
        asked = Loss(kind="gbce", negatives=10, calibration=t)
        assert GeneralisedBinaryCrossEntropy.from_settings(asked.effective(), 101).power == pytest.approx(
            beta
        )


def test_items_of_one_step_do_not_predict_each_other():
    """The loss of a user with a tied pair is that of the positions before other steps alone."""
    from grasp_bench.models.recommender import Recommender
    from grasp_bench.spec.model import Model
    from grasp_bench.training.objectives import Objective

    torch.manual_seed(1)
    items = torch.tensor([4, 2, 5, 1, 3])
    tied = torch.tensor([False, True, False, False, True])
    model = Recommender.from_settings(Model(embedding_dim=8, max_len=6, dropout=0.0).effective(), 1, 9, None)
    data = Sequences(items, torch.tensor([0, 5]), 9, tied_with_previous=tied)
    found = Objective.prepare(model, data, 6, Loss(kind="softmax")).step(torch.tensor([0]), generator(CPU, 1))
    objective = Objective.prepare(model, Sequences(items, data.offsets, 9), 6, Loss())
    history = objective.targets(torch.tensor([0]), generator(CPU, 1)).history
    states = model.read(model.enhancer.table(history.items_T), history.layout)
    logits = states @ model.enhancer.table.weight.T
    expected = F.cross_entropy(logits[[1, 2]], items[[2, 3]])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)

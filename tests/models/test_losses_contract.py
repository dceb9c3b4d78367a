"""Every loss under every enhancer and backbone: values and gradients of the plain form on (S, m) scores."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from builders import NUM_ITEMS, NUM_USERS, model_settings, random_knowledge
from torch import Tensor

from grasp_bench.components import BACKBONES, ENHANCERS, LOSSES
from grasp_bench.models.batch import Candidates
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.training import Loss
from grasp_bench.testing import check_loss
from grasp_bench.training import partition
from grasp_bench.training.checkpoint import generator
from grasp_bench.training.losses import BinaryCrossEntropy
from grasp_bench.training.objectives import Objective, Targets
from grasp_bench.training.sequences import Sequences

CPU = torch.device("cpu")
LENGTHS = [4, 2, 1, 7, 15, 3]
USERS = torch.tensor([4, 0, 1, 3])
VARIANTS: dict[str, list[dict[str, object]]] = {
    "grasp": [
        {},
        {"attention": "softmax"},
        {"attention": "softmax", "softmax_over": "sequence"},
        {"attention": "none"},
        {"mlp_depth": 1, "id_residual": True, "logit_scale": "learnable"},
        {"mlp_depth": 3},
    ],
}
ASKED = [
    Loss(kind="bce", negatives=5),
    Loss(kind="gbce", negatives=4, calibration=0.6),
    Loss(kind="softmax"),
    Loss(kind="sampled_softmax", negatives=6, sampling="popularity"),
    Loss(kind="sampled_softmax", negatives=6, sampling="in_batch", log_q=False),
]
CASES = [
    (backbone, enhancer, variant)
    for backbone in BACKBONES.names()
    for enhancer in ENHANCERS.names()
    if not ENHANCERS.get(enhancer).own_loss
    for variant in VARIANTS.get(enhancer, [{}])
]


def data() -> Sequences:
    items = torch.randint(NUM_ITEMS, (sum(LENGTHS),), generator=torch.Generator().manual_seed(8))
    return Sequences(items, torch.tensor([0, *LENGTHS]).cumsum(0), NUM_ITEMS)


def build(case: tuple[str, str, dict[str, object]], llm: str) -> Recommender:
    backbone, enhancer, variant = case
    torch.manual_seed(4)
    settings = model_settings(backbone=backbone, enhancer=enhancer, dropout=0.0, model=llm, **variant)
    return Recommender.from_settings(settings, NUM_USERS, NUM_ITEMS, random_knowledge())


def all_scores(model: Recommender, targets: Targets) -> Tensor:
    """Scores (S, m): the whole catalogue as candidates of each position."""
    items_SM = torch.arange(NUM_ITEMS).expand(len(targets.index_S), -1)
    candidates = Candidates(items_SM, targets.sequence_S, targets.prior_S)
    vectors_TD, candidates_SMD = model.enhancer.embed(targets.history, candidates)
    states_TD = model.read(vectors_TD, targets.history.layout, targets.history.masked_T)
    states_SD = states_TD if targets.states_S is None else states_TD[targets.states_S]
    return torch.einsum("smd,sd->sm", candidates_SMD, states_SD)


def plain(loss: Loss, objective: Objective, targets: Targets, draws: torch.Generator) -> Tensor:
    """The loss by its definition."""
    scores_Sm = all_scores(objective.recommender, targets)
    target_S = objective.sequences.items_flat[targets.index_S]
    if loss.kind == "softmax":
        return F.cross_entropy(scores_Sm, target_S)
    assert objective.shared is not None
    items_N, log_expected_N = objective.shared.draw(target_S, draws)
    total = torch.zeros(())
    for scores_m, target in zip(scores_Sm, target_S, strict=True):
        positive, others = scores_m[target], items_N != target
        negatives = scores_m[items_N[others]]
        if loss.kind == "sampled_softmax":
            weights = (-log_expected_N[others]).exp() if loss.log_q else torch.ones_like(negatives)
            total = total - (positive.exp() / (positive.exp() + (weights * negatives.exp()).sum())).log()
        else:
            share, t = loss.count / (NUM_ITEMS - 1), loss.calibration
            beta = share * (t * (1 - 1 / share) + 1 / share) if loss.kind == "gbce" else 1.0
            prior = math.log(beta / loss.count)
            found = ((positive + prior).sigmoid() ** beta).log()
            found = found + (1 - (negatives + prior).sigmoid()).log().sum()
            total = total - 2 / (loss.count + 1) * found
    return total / len(target_S)


def gradients(model: Recommender, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad(set_to_none=True)
    loss.backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_a_step_and_its_gradients_are_those_of_the_plain_form(case, small_llm, monkeypatch):
    monkeypatch.setattr(partition, "SCORES_AT_ONCE", 3 * NUM_ITEMS)  # several chunks
    monkeypatch.setattr("grasp_bench.models.enhancers.grasp.PAIRS_AT_ONCE", 4 * 10)  # several blocks
    for asked in ASKED:
        model = build(case, small_llm)
        objective = Objective.prepare(model, data(), 12, asked)
        draws, again = generator(CPU, 5), generator(CPU, 5)
        targets = objective.targets(USERS, draws)
        monkeypatch.setattr(model.enhancer, "auxiliary_loss", lambda step: None)
        expected = plain(asked, objective, targets, draws)
        expected_gradients = gradients(model, expected)
        found = objective.step(USERS, again)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        found_gradients = gradients(model, found)
        for name, gradient in expected_gradients.items():
            # Sums of a language model's many gradients, such as of a bias, round by the largest of them.
            largest = max(1.0, float(gradient.abs().max())) if case[0] == "llm" else 1.0
            close = torch.allclose(found_gradients[name], gradient, rtol=1e-4, atol=1e-5 * largest)
            assert close, (asked, name)


@pytest.mark.parametrize("name", LOSSES.names())
def test_registered_losses_keep_the_contract(name):
    check_loss(name)


def test_a_loss_that_pushes_all_scores_down_is_found_out(monkeypatch):
    """BCE with many negatives and without its constant."""

    def without_prior(self, predictions):
        scores_SN = predictions.negatives().scores_SN
        return (F.softplus(-predictions.positives()) + F.softplus(scores_SN).sum(1)).mean()

    monkeypatch.setattr(BinaryCrossEntropy, "__call__", without_prior)
    with pytest.raises(AssertionError, match="moving all scores of 0 alike"):
        check_loss("bce", negatives=256)

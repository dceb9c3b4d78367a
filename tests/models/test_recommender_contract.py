"""Every enhancer under every backbone: one training step, and scores."""

from __future__ import annotations

import pytest
import torch
from builders import NUM_ITEMS, NUM_USERS, behind, model_settings, random_history, random_knowledge

from grasp_bench.components import BACKBONES, ENHANCERS
from grasp_bench.models.batch import History
from grasp_bench.models.layout import Layout
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.training import Loss
from grasp_bench.training.checkpoint import generator
from grasp_bench.training.objectives import Objective
from grasp_bench.training.sequences import Sequences

CPU = torch.device("cpu")
VARIANTS: dict[str, list[dict[str, object]]] = {
    "rpg": [{}, {"context": "user_and_neighbours"}],
    "rlmrec": [{}, {"alignment": "generative"}],
    "llmesr": [{}, {"cross_attention": False, "distil_weight": 0.0}],
}
CASES = [
    (backbone, enhancer, variant)
    for backbone in BACKBONES.names()
    for enhancer in ENHANCERS.names()
    if not ENHANCERS.get(enhancer).whole_model
    for variant in VARIANTS.get(enhancer, [{}])
]
CAUSAL = [case for case in CASES if BACKBONES.implementation(case[0]).causal]
LENGTHS = [4, 2, 1, 7, 15, 3]


def named(case: tuple[str, str, dict[str, object]]) -> str:
    return f"{case[0]}-{case[1]}-{case[2]}"


@pytest.fixture(params=CASES, ids=named)
def recommender(request) -> Recommender:
    backbone, enhancer, variant = request.param
    torch.manual_seed(4)
    settings = model_settings(backbone=backbone, enhancer=enhancer, **variant)
    return Recommender.from_settings(settings, NUM_USERS, NUM_ITEMS, random_knowledge())


def training_data() -> Sequences:
    items = torch.randint(NUM_ITEMS, (sum(LENGTHS),), generator=torch.Generator().manual_seed(8))
    return Sequences(items, torch.tensor([0, *LENGTHS]).cumsum(0), NUM_ITEMS)


def test_a_step_reaches_every_parameter_with_finite_gradients(recommender):
    frozen = {name: value.clone() for name, value in recommender.named_buffers()}
    objective = Objective.prepare(recommender, training_data(), 12, Loss())
    recommender.train()
    loss = objective.step(torch.tensor([0, 1, 3, 4]), generator(CPU, 1))
    loss.backward()
    assert torch.isfinite(loss)
    for name, parameter in recommender.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    torch.optim.Adam(recommender.parameters(), lr=0.1).step()
    for name, value in recommender.named_buffers():
        assert torch.equal(value, frozen[name]), name


def test_the_same_draws_give_the_same_loss(recommender):
    objective = Objective.prepare(recommender, training_data(), 12, Loss())
    recommender.train()
    losses = []
    for _ in range(2):
        torch.manual_seed(6)
        losses.append(float(objective.step(torch.tensor([0, 3]), generator(CPU, 1)).detach()))
    assert losses[0] == losses[1]


@torch.inference_mode()
def test_a_users_scores_depend_neither_on_the_batch_nor_on_how_they_are_asked_for(recommender):
    recommender.eval()
    history = random_history([5, 1, 9])
    catalogue = recommender.enhancer.catalogue()
    states = recommender.states(history, catalogue)
    full = recommender.enhancer.score_catalogue(states, history, catalogue)
    some = torch.tensor([[3, 17, 0], [22, 3, 3], [1, 2, 4]])
    few = recommender.enhancer.score_candidates(states, history, behind(history, some), catalogue)
    torch.testing.assert_close(few, full.gather(1, some), rtol=1e-4, atol=1e-5)
    last = History(history.users_B[2:], history.items_T[6:], Layout(torch.tensor([9])))
    alone = recommender.enhancer.score_catalogue(recommender.states(last, catalogue), last, catalogue)
    torch.testing.assert_close(alone, full[2:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("recommender", CAUSAL, indirect=True, ids=named)
@torch.inference_mode()
def test_causal_recommenders_do_not_look_ahead(recommender):
    recommender.eval()
    history = random_history([9])
    changed = history.items_T.clone()
    changed[5:] = (changed[5:] + 1) % NUM_ITEMS
    states = [
        recommender.read(
            recommender.enhancer.embed_history(History(history.users_B, items, history.layout)),
            history.layout,
        )
        for items in (history.items_T, changed)
    ]
    torch.testing.assert_close(states[0][:5], states[1][:5], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(states[0][5:], states[1][5:], atol=1e-4)

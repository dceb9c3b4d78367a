"""The contract of enhancers."""

from __future__ import annotations

from typing import Any

import torch

from grasp_bench.components import ENHANCERS
from grasp_bench.models.batch import History
from grasp_bench.models.enhancers.base import Enhancer
from grasp_bench.models.layout import Layout
from grasp_bench.spec.model import Model
from grasp_bench.spec.plugins import use_latest_plugin
from grasp_bench.testing.histories import (
    LONGEST,
    NUM_ITEMS,
    NUM_USERS,
    WIDTH,
    agree,
    behind,
    random_history,
    random_knowledge,
)

SOME = torch.tensor([[3, 17, 0], [22, 3, 3], [1, 2, 4]])
ONE = SOME[:, :1]


def check_enhancer(name: str, **keys: Any) -> None:
    """Check an enhancer, by its name or "module:Class", built with its default keys and `keys`.

    A candidate's score is the same alone, among others and in the whole catalogue, and does not depend on the
    other users of the batch; what is computed in advance changes nothing; gradients are finite; frozen inputs
    stay frozen.

    Example:
        >>> check_enhancer("grasp", attention="softmax")
    """
    use_latest_plugin(ENHANCERS, name)
    asked = {"embedding_dim": WIDTH, "max_len": LONGEST, "enhancer": name, **keys}
    settings = {**Model.model_validate(asked).effective(), "causal": True}
    knowledge = random_knowledge() if ENHANCERS.get(name).reads else None
    for check in (
        _scores_agree, _catalogue_changes_nothing, _users_are_apart, _features_change_nothing,
        _profiles_stand_in, _settling_changes_nothing, _learns,
        _own_loss_learns if ENHANCERS.get(name).own_loss else _item_vectors_score,
    ):  # fmt: skip
        torch.manual_seed(7)
        with ENHANCERS.blamed(name):
            enhancer = ENHANCERS.implementation(name).from_settings(settings, NUM_USERS, NUM_ITEMS, knowledge)
            assert isinstance(enhancer, Enhancer), f"from_settings returned {type(enhancer).__name__}"
            check(enhancer)


def _history() -> History:
    return random_history([5, 1, 9])


def _states(enhancer: Enhancer) -> torch.Tensor:
    return torch.randn(3, WIDTH * enhancer.views)


@torch.inference_mode()
def _scores_agree(enhancer: Enhancer) -> None:
    history, states, catalogue = _history(), _states(enhancer), enhancer.catalogue()
    full = enhancer.score_catalogue(states, history, catalogue)
    few = enhancer.score_candidates(states, history, behind(history, SOME), catalogue)
    alone = enhancer.score_candidates(states, history, behind(history, ONE), catalogue)
    assert full.shape == (3, NUM_ITEMS), f"score_catalogue gives {tuple(full.shape)} for 3 users"
    agree(few, full.gather(1, SOME), "scores of candidates and of the catalogue")
    agree(alone, few[:, :1], "scores of a candidate alone and among others")


@torch.inference_mode()
def _catalogue_changes_nothing(enhancer: Enhancer) -> None:
    history = _history()
    candidates = behind(history, ONE)
    direct = enhancer.embed(history, candidates)
    through = enhancer.embed(history, candidates, enhancer.catalogue())
    for found, expected in zip(through, direct, strict=True):
        agree(found, expected, "embed with and without the catalogue")


@torch.inference_mode()
def _users_are_apart(enhancer: Enhancer) -> None:
    history = random_history([5, 2])
    second = History(history.users_B[1:], history.items_T[5:], Layout(torch.tensor([2])))
    found = enhancer.embed_history(history)[5:]
    agree(found, enhancer.embed_history(second), "vectors of a user alone and beside others")


@torch.inference_mode()
def _features_change_nothing(enhancer: Enhancer) -> None:
    history = random_history([5, 2])
    features = enhancer.pair_features(history.users_T(), history.items_T)
    known = History(history.users_B, history.items_T, history.layout, features)
    agree(enhancer.embed_history(known), enhancer.embed_history(history), "pair_features")


@torch.inference_mode()
def _profiles_stand_in(enhancer: Enhancer) -> None:
    """Users who were not there in training score as those whose vectors they bring."""
    history = _history()
    profiles = enhancer.profiles(history.users_B)
    if profiles is None:
        return
    strangers = History(torch.full((3,), -1), history.items_T, history.layout, profiles=profiles)
    states, catalogue = _states(enhancer), enhancer.catalogue()
    scores = [
        score
        for each in (history, strangers)
        for score in (
            enhancer.score_candidates(states, each, behind(each, SOME), catalogue),
            enhancer.score_catalogue(states, each, catalogue).gather(1, SOME),
        )
    ]
    for each in scores[1:]:
        agree(each, scores[0], "scores by profiles of users")
    found = enhancer.embed_history(strangers, catalogue)
    agree(found, enhancer.embed_history(history, catalogue), "vectors by profiles of users")


@torch.inference_mode()
def _settling_changes_nothing(enhancer: Enhancer) -> None:
    history, states, catalogue = _history(), _states(enhancer), enhancer.catalogue()
    before = enhancer.score_catalogue(states, history, catalogue)
    enhancer.settle()
    agree(enhancer.score_catalogue(states, history, catalogue), before, "scores after settle", 1e-6)


@torch.inference_mode()
def _item_vectors_score(enhancer: Enhancer) -> None:
    history, states, catalogue = _history(), _states(enhancer), enhancer.catalogue()
    vectors = enhancer.item_vectors(catalogue)
    reads_users = enhancer.profiles(history.users_B) is not None
    assert (vectors is None) == reads_users, "item_vectors are None exactly where scores read users"
    if vectors is not None:
        agree(
            states @ vectors.T, enhancer.score_catalogue(states, history, catalogue), "scores by item_vectors"
        )


def _own_loss_learns(enhancer: Enhancer) -> None:
    """Scores are no product with a vector, and the loss falls as the target's score rises."""
    history, targets = _history(), torch.tensor([4, 0, 9])
    assert enhancer.item_vectors(enhancer.catalogue()) is None, (
        "item_vectors are None where a loss is its own"
    )
    states = _states(enhancer).requires_grad_()
    losses, scores = [], []
    for _ in range(20):
        loss = enhancer.loss(states, targets)
        assert loss.shape == (), f"loss gives a tensor of shape {tuple(loss.shape)}"
        (gradient,) = torch.autograd.grad(loss, states)
        assert gradient.isfinite().all(), "the gradient of loss is not finite"
        with torch.no_grad():
            found = enhancer.score_catalogue(states, history, enhancer.catalogue())
            scores.append(float((found.log_softmax(1)).gather(1, targets[:, None]).mean()))
            states -= 0.1 * gradient / gradient.norm().clamp_min(1e-12)
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0], "states that follow the gradient of loss do not lower it"
    assert scores[-1] > scores[0], "a lower loss does not raise the target above the other items"


def _learns(enhancer: Enhancer) -> None:
    frozen = {name: value.clone() for name, value in enhancer.named_buffers()}
    optimizer = torch.optim.Adam(enhancer.parameters(), lr=0.1)
    history = _history()
    vectors, candidates = enhancer.embed(history, behind(history, ONE))
    torch.autograd.backward(vectors.square().sum() + candidates.square().sum())
    reached = {name: p.grad for name, p in enhancer.named_parameters() if p.grad is not None}
    assert reached, "no parameter gets a gradient"
    for name, gradient in reached.items():
        assert gradient.isfinite().all(), f"the gradient of {name} is not finite"
    optimizer.step()
    for name, value in enhancer.named_buffers():
        assert torch.equal(value, frozen[name]), f"the frozen {name} changes in training"

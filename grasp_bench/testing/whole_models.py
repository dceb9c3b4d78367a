"""The contract of models that bring a network of their own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from grasp_bench.components import ENHANCERS
from grasp_bench.models.batch import History
from grasp_bench.models.generative.base import UNRANKED, WholeModel
from grasp_bench.models.layout import Layout
from grasp_bench.models.recommender import build_model
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


def check_whole_model(name: str, **keys: Any) -> None:
    """Check an enhancer with `whole_model`, by its name or "module:Class", built with its default keys
    and `keys`.

    A candidate's score is the same alone, among others and in the whole catalogue as far as that is
    ranked, and does not depend on the other users of the batch; every parameter gets a finite gradient;
    a step lowers the loss of what it learnt.

    Example:
        >>> check_whole_model("tiger", beam=20)
    """
    use_latest_plugin(ENHANCERS, name)
    asked = {"embedding_dim": WIDTH, "max_len": LONGEST, "enhancer": name, **keys}
    settings = Model.model_validate(asked).effective()
    for check in (_scores_agree, _users_are_apart, _learns):
        torch.manual_seed(7)
        check(build_model(settings, NUM_USERS, NUM_ITEMS, random_knowledge()))


def _history() -> History:
    return random_history([5, 1, 9])


@torch.inference_mode()
def _scores_agree(model: Any) -> None:
    model.eval()
    history, catalogue = _history(), model.catalogue()
    states = model.states(history, catalogue)
    full = model.score_catalogue(states, history, catalogue)
    few = model.score_candidates(states, history, behind(history, SOME), catalogue)
    alone = model.score_candidates(states, history, behind(history, SOME[:, :1]), catalogue)
    assert full.shape == (3, NUM_ITEMS), f"score_catalogue gives {tuple(full.shape)} for 3 users"
    found = full.gather(1, SOME)
    ranked = found > UNRANKED
    if model.exact_catalogue:
        assert bool((full > UNRANKED).all()), "score_catalogue leaves items out in spite of exact_catalogue"
    assert bool(full.isfinite().all()), "score_catalogue gives NaN or infinity"
    agree(few[ranked], found[ranked], "scores of candidates and of the catalogue")
    agree(alone, few[:, :1], "scores of a candidate alone and among others")


@torch.inference_mode()
def _users_are_apart(model: Any) -> None:
    model.eval()
    history = random_history([5, 2])
    second = History(history.users_B[1:], history.items_T[5:], Layout(torch.tensor([2])))
    found = [_scores(model, each)[-1:] for each in (history, second)]
    agree(found[0], found[1], "scores of a user alone and beside others")


def _scores(model: WholeModel, history: History) -> Tensor:
    states = model.states(history, model.catalogue())
    items = torch.arange(NUM_ITEMS).expand(history.layout.batch, -1)
    return model.score_candidates(states, history, behind(history, items), model.catalogue())


def _learns(model: Any) -> None:
    model.train()
    history, targets = _history(), torch.tensor([4, 0, 9])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    frozen = {name: value.clone() for name, value in model.named_buffers()}
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = model.loss(history, targets)
        loss.backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, f"{name} gets no gradient"
            assert bool(parameter.grad.isfinite().all()), f"the gradient of {name} is not finite"
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0], f"the loss goes from {losses[0]:.4f} to {losses[-1]:.4f}"
    for name, value in model.named_buffers():
        assert torch.equal(value, frozen[name]), f"the frozen {name} changes in training"

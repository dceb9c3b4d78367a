"""The contract of enhancers, run for every registered one under each of its named variants."""

from __future__ import annotations

import pytest
import torch
from builders import (
    NUM_ITEMS,
    NUM_USERS,
    behind,
    model_settings,
    random_history,
    random_knowledge,
)

from grasp_bench.components import ENHANCERS
from grasp_bench.core.errors import TrainingError
from grasp_bench.models.batch import History
from grasp_bench.models.enhancers.base import Enhancer
from grasp_bench.models.layout import Layout

VARIANTS: dict[str, list[dict[str, object]]] = {
    "grasp": [
        {},
        {"attention": "softmax"},
        {"attention": "softmax", "softmax_over": "sequence"},
        {"attention": "none"},
        {"similar": False},
        {"global": False, "mlp_depth": 1},
        {"id_residual": True, "logit_scale": "learnable"},
    ],
    "llminit": [{}, {"init_std": 0.02}],
    "llmesr": [{}, {"collaborative_init": "random", "adapter_hidden": 3}],
}
CASES = [(name, variant) for name in ENHANCERS.names() for variant in VARIANTS.get(name, [{}])]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def enhancer(request) -> Enhancer:
    name, variant = request.param
    torch.manual_seed(7)
    knowledge = random_knowledge() if ENHANCERS.get(name).reads else None
    settings = {**model_settings(enhancer=name, **variant), "causal": True}
    return ENHANCERS.implementation(name).from_settings(settings, NUM_USERS, NUM_ITEMS, knowledge)


def test_a_candidates_score_is_the_same_alone_among_others_and_in_the_catalogue(enhancer):
    history = random_history([5, 1, 9])
    states = torch.randn(3, 8 * enhancer.views)
    some = torch.tensor([[3, 17, 0], [22, 3, 3], [1, 2, 4]])
    with torch.inference_mode():
        catalogue = enhancer.catalogue()
        full = enhancer.score_catalogue(states, history, catalogue)
        few = enhancer.score_candidates(states, history, behind(history, some), catalogue)
        alone = enhancer.score_candidates(states, history, behind(history, some[:, :1]), catalogue)
    torch.testing.assert_close(few, full.gather(1, some), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(alone, few[:, :1], rtol=1e-5, atol=1e-5)


def test_a_projected_catalogue_changes_nothing(enhancer):
    history = random_history([5, 1, 9])
    candidates = behind(history, torch.tensor([[3], [22], [1]]))
    with torch.inference_mode():
        direct = enhancer.embed(history, candidates)
        through = enhancer.embed(history, candidates, enhancer.catalogue())
    for ours, theirs in zip(direct, through, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_other_users_of_the_batch_do_not_matter(enhancer):
    history = random_history([5, 2])
    second = History(history.users_B[1:], history.items_T[5:], Layout(torch.tensor([2])))
    torch.testing.assert_close(
        enhancer.embed_history(history)[5:], enhancer.embed_history(second), rtol=1e-5, atol=1e-5
    )


def test_known_pair_features_change_nothing(enhancer):
    history = random_history([5, 2])
    features = enhancer.pair_features(history.users_T(), history.items_T)
    known = History(history.users_B, history.items_T, history.layout, features)
    torch.testing.assert_close(enhancer.embed_history(known), enhancer.embed_history(history))


def test_profiles_stand_in_for_the_rows_of_users(enhancer):
    """Scores of users who were not there at training: those of the users whose vectors they bring."""
    history = random_history([5, 1, 9])
    profiles = enhancer.profiles(history.users_B)
    if profiles is None:
        return
    strangers = History(torch.full((3,), -1), history.items_T, history.layout, profiles=profiles)
    states, some = torch.randn(3, 8 * enhancer.views), torch.tensor([[3, 17], [22, 3], [1, 2]])
    with torch.inference_mode():
        catalogue = enhancer.catalogue()
        scores, vectors = [], []
        for each in (history, strangers):
            candidates = behind(each, some)
            scores.append(enhancer.score_candidates(states, each, candidates, catalogue))
            scores.append(enhancer.score_catalogue(states, each, catalogue).gather(1, some))
            vectors.append(enhancer.embed_history(each, catalogue))
    for each in scores[1:]:
        torch.testing.assert_close(each, scores[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(vectors[1], vectors[0])


def test_settling_changes_no_score(enhancer):
    history, states = random_history([5, 1, 9]), torch.randn(3, 8 * enhancer.views)
    with torch.inference_mode():
        catalogue = enhancer.catalogue()
        before = enhancer.score_catalogue(states, history, catalogue)
        enhancer.settle()
        after = enhancer.score_catalogue(states, history, catalogue)
    torch.testing.assert_close(after, before, rtol=1e-6, atol=1e-6)


def test_item_vectors_are_there_where_users_do_not_matter(enhancer):
    history = random_history([5, 1, 9])
    states = torch.randn(3, 8 * enhancer.views)
    with torch.inference_mode():
        catalogue = enhancer.catalogue()
        vectors = enhancer.item_vectors(catalogue)
        assert (vectors is None) == (enhancer.profiles(history.users_B) is not None)
        if vectors is not None:
            scores = enhancer.score_catalogue(states, history, catalogue)
            torch.testing.assert_close(states @ vectors.T, scores, rtol=1e-5, atol=1e-5)


def test_gradients_of_item_vectors_are_finite_and_frozen_inputs_stay_frozen(enhancer):
    frozen = {name: value.clone() for name, value in enhancer.named_buffers()}
    optimizer = torch.optim.Adam(enhancer.parameters(), lr=0.1)
    history = random_history([5, 1, 9])
    vectors, candidates = enhancer.embed(history, behind(history, torch.tensor([[3], [22], [1]])))
    (vectors.square().sum() + candidates.square().sum()).backward()
    reached = [p for p in enhancer.parameters() if p.grad is not None]
    assert reached
    assert all(torch.isfinite(p.grad).all() for p in reached)
    optimizer.step()
    for name, value in enhancer.named_buffers():
        assert torch.equal(value, frozen[name]), name


@pytest.mark.parametrize("name", [name for name in ENHANCERS if ENHANCERS.get(name).reads])
def test_embeddings_of_another_split_are_refused(name):
    with pytest.raises(TrainingError, match="cover"):
        ENHANCERS.implementation(name).from_settings(
            {**model_settings(enhancer=name), "causal": True}, NUM_USERS, NUM_ITEMS + 1, random_knowledge()
        )

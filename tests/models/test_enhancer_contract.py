"""The contract of enhancers, run for every registered one under each of its named variants."""

from __future__ import annotations

import pytest
from builders import NUM_ITEMS, NUM_USERS, model_settings, random_knowledge

from grasp_bench.components import ENHANCERS
from grasp_bench.core.errors import TrainingError
from grasp_bench.models.enhancers.base import NoEnhancer
from grasp_bench.testing import check_enhancer

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
    "rpg": [{}, {"context": "user_and_neighbours"}],
    "llmesr": [{}, {"collaborative_init": "random", "adapter_hidden": 3}],
}
CASES = [
    (name, variant)
    for name in ENHANCERS.names()
    if not ENHANCERS.get(name).whole_model
    for variant in VARIANTS.get(name, [{}])
]


@pytest.mark.parametrize(("name", "variant"), CASES)
def test_registered_enhancers_keep_the_contract(name, variant):
    check_enhancer(name, dropout=0.3, **variant)


@pytest.mark.parametrize(
    ("method", "broken", "message"),
    [
        ("score_catalogue", lambda self, states, history, catalogue: states @ self.table.weight.T + 1,
         "scores of candidates and of the catalogue"),
        ("embed_history", lambda self, history, catalogue=None: self.table(history.items_T).flip(0),
         "vectors of a user alone and beside others"),
        ("item_vectors", lambda self, catalogue: None, "None exactly where scores read users"),
        ("settle", lambda self: self.table.weight.data.mul_(2), "scores after settle"),
    ],
)  # fmt: skip
def test_each_broken_promise_is_named(method, broken, message, monkeypatch):
    monkeypatch.setattr(NoEnhancer, method, broken, raising=False)
    with pytest.raises(AssertionError, match=message):
        check_enhancer("none")


@pytest.mark.parametrize("name", [name for name in ENHANCERS if ENHANCERS.get(name).reads])
def test_embeddings_of_another_split_are_refused(name):
    with pytest.raises(TrainingError, match="cover"):
        ENHANCERS.implementation(name).from_settings(
            {**model_settings(enhancer=name), "causal": True}, NUM_USERS, NUM_ITEMS + 1, random_knowledge()
        )

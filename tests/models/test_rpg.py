"""RPG against its equations written out."""

from __future__ import annotations

import torch
from builders import NUM_ITEMS, NUM_USERS, behind, model_settings, random_history, random_knowledge

from grasp_bench.models.enhancers.base import Codes, Knowledge
from grasp_bench.models.enhancers.rpg import RPG
from grasp_bench.models.layout import Layout
from grasp_bench.models.recommender import Recommender

EVEN = Codes(torch.randint(4, (NUM_ITEMS, 5), generator=torch.Generator().manual_seed(1)), (4,) * 5)


def rpg(codes: Codes, **keys: object) -> RPG:
    torch.manual_seed(4)
    settings = model_settings(enhancer="rpg", **keys)
    return RPG.from_settings(settings, NUM_USERS, NUM_ITEMS, Knowledge(codes=codes))


def plain_scores(model: RPG, codes: Codes, states_Sd: torch.Tensor) -> torch.Tensor:
    """Sums over levels of log softmax(cos(h + SiLU(W h + b), e) / τ), item by item."""
    found = torch.zeros(len(states_Sd), NUM_ITEMS)
    for row, state_d in enumerate(states_Sd):
        first = 0
        for level, size in enumerate(codes.sizes):
            projected = state_d @ model.heads[level] + model.head_biases[level]
            head = state_d + projected * projected.sigmoid()
            vectors = model.table.weight[first : first + size]
            cosines = vectors @ head / (vectors.norm(dim=1) * head.norm())
            logs = (cosines / 0.07).log_softmax(0)
            for item in range(NUM_ITEMS):
                found[row, item] += logs[codes.codes_mL[item, level]]
            first += size
    return found


def test_scores_and_loss_are_those_of_the_equations() -> None:
    uneven = random_knowledge().codes
    assert uneven is not None
    for codes in (EVEN, uneven):
        model, states = rpg(codes), torch.randn(3, 8)
        expected, history = plain_scores(model, codes, states), random_history([5, 1, 9])
        found = model.score_catalogue(states, history, None)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        everything = behind(history, torch.arange(NUM_ITEMS).expand(3, -1))
        few = model.score_candidates(states, history, everything, None)
        torch.testing.assert_close(few, expected, rtol=1e-4, atol=1e-4)
        targets = torch.tensor([2, 0, 11])
        loss = -expected[torch.arange(3), targets].mean() / len(codes.sizes)
        torch.testing.assert_close(model.loss(states, targets), loss, rtol=1e-4, atol=1e-4)


def test_an_item_is_read_as_the_mean_of_its_codes() -> None:
    model, history = rpg(EVEN), random_history([5, 2])
    for row, item in enumerate(history.items_T.tolist()):
        rows = [
            model.table.weight[4 * level + code] for level, code in enumerate(EVEN.codes_mL[item].tolist())
        ]
        torch.testing.assert_close(model.embed_history(history)[row], torch.stack(rows).mean(0))


def test_context_stands_before_the_history_and_changes_no_position() -> None:
    """A causal backbone reads the same from a history of which the first tokens are the context."""
    torch.manual_seed(4)
    settings = model_settings(enhancer="rpg", context="user_and_neighbours", dropout=0.0)
    knowledge = random_knowledge()
    model = Recommender.from_settings(settings, NUM_USERS, NUM_ITEMS, knowledge).eval()
    history = random_history([5, 1, 9])
    found = model.states(history)
    vectors = model.enhancer.embed_history(history)
    layers = model.enhancer.users.layers
    for row, user in enumerate(history.users_B.tolist()):
        own = layers[0](knowledge.users_nD[user])
        similar = layers[1](knowledge.similar_users_nD[user])
        tokens = torch.stack([own, similar, *vectors[history.layout.sequence_T == row]])
        expected = model.backbone(tokens, Layout(torch.tensor([len(tokens)])))[-1]
        torch.testing.assert_close(found[row], expected, rtol=1e-5, atol=1e-5)

"""LLM-ESR against its equations written out one user and one position at a time."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from builders import DIM, NUM_ITEMS, NUM_USERS, model_settings, random_knowledge
from torch import Tensor

from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.layout import Layout
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.training import Loss
from grasp_bench.training.checkpoint import generator
from grasp_bench.training.objectives import Objective
from grasp_bench.training.sequences import Sequences

CPU = torch.device("cpu")
HISTORIES = [[1, 2, 3, 4], [5, 6], [7], [8, 9, 10], [11, 12, 13, 14, 15], [16, 17, 18]]


def binary_cross_entropy(states_SD: torch.Tensor, candidates_S2D: torch.Tensor) -> torch.Tensor:
    """Equation 6: target and negative of each position, mean over positions."""
    scores_S2 = torch.einsum("skd,sd->sk", candidates_S2D, states_SD)
    told = torch.tensor([1.0, 0.0]).expand_as(scores_S2)
    return 2 * F.binary_cross_entropy_with_logits(scores_S2, told)


def build(**changes: object) -> Recommender:
    torch.manual_seed(11)
    settings = model_settings(enhancer="llmesr", dropout=0.0, **{"backbone": "gru4rec", **changes})
    return Recommender.from_settings(settings, NUM_USERS, NUM_ITEMS, random_knowledge())


def semantic(model: Recommender, items: Tensor) -> Tensor:
    enhancer = model.enhancer
    hidden = items @ enhancer.reduce.weight.T + enhancer.reduce.bias
    return hidden @ enhancer.adapt.weight.T + enhancer.adapt.bias


def attended(block, query_L: Tensor, memory_L: Tensor, causal: bool) -> Tensor:
    """softmax(QKᵀ/√d_k)V for each head of one sequence, by loops."""
    length, width = query_L.shape
    per_head = width // block.heads
    q = query_L @ block.query.weight.T + block.query.bias
    k, v = (memory_L @ block.key_value.weight.T + block.key_value.bias).split(width, dim=-1)
    rows = []
    for t in range(length):
        heads = []
        for h in range(block.heads):
            part = slice(h * per_head, (h + 1) * per_head)
            seen = range(t + 1) if causal else range(length)
            logits = torch.stack([q[t, part] @ k[s, part] / math.sqrt(per_head) for s in seen])
            weights = torch.exp(logits) / torch.exp(logits).sum()
            heads.append(sum(w * v[s, part] for w, s in zip(weights, seen, strict=True)))
        rows.append(torch.cat(heads))
    return torch.stack(rows) @ block.output.weight.T + block.output.bias


def plain_state(model: Recommender, items: list[int]) -> Tensor:
    """States (L, 2d) of one sequence under GRU4Rec, dropout zero."""
    crossing = model.enhancer.cross_attention
    c = model.enhancer.collaborative.weight[torch.tensor(items)]
    s = semantic(model, model.enhancer.items_mD[torch.tensor(items)])
    scale = math.sqrt(c.shape[1])
    positions = crossing.positions.weight[torch.arange(len(items) - 1, -1, -1)]
    placed_c, placed_s = c * scale + positions, s * scale + positions
    crossed_c = attended(crossing.second_to_first, placed_s, placed_c, causal=True) / scale
    crossed_s = attended(crossing.first_to_second, placed_c, placed_s, causal=True) / scale
    return torch.cat([gru(model, crossed_c), gru(model, crossed_s)], dim=-1)


def gru(model: Recommender, x_LD: Tensor) -> Tensor:
    backbone = model.backbone
    return backbone.output(backbone.recurrent(x_LD[None])[0][0])


def test_items_have_a_collaborative_and_an_adapted_semantic_vector():
    model = build()
    expected = torch.cat(
        [model.enhancer.collaborative.weight, semantic(model, random_knowledge().items_mD)], dim=-1
    )
    torch.testing.assert_close(model.enhancer.catalogue(), expected, rtol=1e-5, atol=1e-6)
    assert model.enhancer.reduce.weight.shape == (DIM // 2, DIM)


def test_states_are_the_shared_backbone_on_both_crossed_views():
    model = build()
    items = [4, 9, 9, 17]
    history = History(torch.tensor([0]), torch.tensor(items), Layout(torch.tensor([4])))
    vectors = model.enhancer.embed_history(history)
    torch.testing.assert_close(
        model.read(vectors, history.layout), plain_state(model, items), rtol=1e-5, atol=1e-6
    )


def test_the_loss_and_its_gradients_are_those_of_a_loop_over_similar_users():
    model = build(distil_weight=0.7)
    offsets = torch.tensor([0, *[len(h) for h in HISTORIES]]).cumsum(0)
    data = Sequences(torch.tensor([i for h in HISTORIES for i in h]), offsets, NUM_ITEMS)
    objective = Objective.prepare(model, data, 3, Loss())
    users = torch.tensor([0, 1, 3, 4])  # user 3 has nobody similar
    model.train()
    found = objective.step(users, generator(CPU, 5))
    found.backward()
    found_gradients = [p.grad for p in model.parameters()]

    read = {u: h[:-1][-3:] if len(h) > 1 else h for u, h in enumerate(HISTORIES)}
    targets = [i for u in users.tolist() for i in HISTORIES[u][-len(read[u]) :]]
    who = torch.tensor([u for u in users.tolist() for _ in read[u]])
    negatives = objective.own.draw(who, generator(CPU, 5)).tolist()
    states = {u: plain_state(model, read[u]) for u in range(NUM_USERS)}
    vectors = torch.cat([model.enhancer.collaborative.weight, semantic(model, model.enhancer.items_mD)], -1)
    candidates = torch.stack([vectors[torch.tensor([p, n])] for p, n in zip(targets, negatives, strict=True)])
    expected = binary_cross_entropy(torch.cat([states[u] for u in users.tolist()]), candidates)
    nearest = random_knowledge().nearest_users_nN.tolist()
    own, theirs = [], []
    for u in users.tolist():
        similar = [v for v in nearest[u] if v >= 0]
        if similar:
            own.append(states[u][-1])
            theirs.append(torch.stack([states[v][-1] for v in similar]).mean(0).detach())
    expected = expected + 0.7 * F.mse_loss(torch.stack(own), torch.stack(theirs))
    model.zero_grad(set_to_none=True)
    expected.backward()
    expected_gradients = [p.grad for p in model.parameters()]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    for ours, plain in zip(found_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("left_on", [True, False])
def test_similar_users_states_have_dropout_only_when_asked(left_on):
    model = build(distil_dropout=left_on)
    model.backbone.dropout = 0.5
    model.train()
    seen: list[bool] = []
    model.backbone.register_forward_hook(lambda module, *_: seen.append(module.training))
    offsets = torch.tensor([0, *[len(h) for h in HISTORIES]]).cumsum(0)
    data = Sequences(torch.tensor([i for h in HISTORIES for i in h]), offsets, NUM_ITEMS)
    Objective.prepare(model, data, 3, Loss()).step(torch.tensor([0, 1]), generator(CPU, 5))
    assert seen == [True, True, left_on, left_on]
    assert model.training
    assert model.backbone.training


def test_without_similar_users_or_weight_there_is_no_extra_loss():
    lonely = build()
    lonely.enhancer.nearest_users_nN.fill_(-1)
    for model in (lonely, build(distil_weight=0.0)):
        offsets = torch.tensor([0, *[len(h) for h in HISTORIES]]).cumsum(0)
        data = Sequences(torch.tensor([i for h in HISTORIES for i in h]), offsets, NUM_ITEMS)
        objective = Objective.prepare(model, data, 3, Loss())
        found = float(objective.step(torch.tensor([4]), generator(CPU, 5)).detach())
        targets, read = HISTORIES[4][-3:], HISTORIES[4][1:4]
        negatives = objective.own.draw(torch.tensor([4, 4, 4]), generator(CPU, 5))
        history = History(torch.tensor([4]), torch.tensor(read), Layout(torch.tensor([3])))
        rows = torch.stack([torch.tensor(targets), negatives], dim=1)
        candidates = Candidates(rows, torch.zeros(3, dtype=torch.int64), torch.tensor([1, 2, 3]))
        vectors, candidate_vectors = model.enhancer.embed(history, candidates)
        main = binary_cross_entropy(model.read(vectors, history.layout), candidate_vectors)
        assert found == pytest.approx(float(main.detach()), rel=1e-6)


def test_a_residual_adds_a_views_own_vectors():
    plain, residual = build(), build(cross_residual=True)
    residual.load_state_dict(plain.state_dict())
    layout = Layout(torch.tensor([3]))
    views = [torch.randn(3, 8), torch.randn(3, 8)]
    mixed, added = plain.enhancer.mix(views, layout), residual.enhancer.mix(views, layout)
    for view, without, with_own in zip(views, mixed, added, strict=True):
        torch.testing.assert_close(with_own, without + view)
    assert build(cross_attention=False).enhancer.mix(views, layout) is views

"""The factorised form against a plain transcription of equations 3-5."""

from __future__ import annotations

import itertools
from dataclasses import replace

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
from oracle import enhanced, mlp

from grasp_bench.models.batch import Candidates
from grasp_bench.models.enhancers.grasp import Grasp
from grasp_bench.models.holistic_attention import PARTS

LENGTHS = [5, 1, 9, 3]
SUBSETS = [subset for size in (1, 2, 3) for subset in itertools.combinations(PARTS, size)]


def build(**changes: object) -> Grasp:
    torch.manual_seed(11)
    settings = model_settings(enhancer="grasp", **changes)
    return Grasp.from_settings(settings, NUM_USERS, NUM_ITEMS, random_knowledge())


def layers_of(grasp: Grasp) -> list[tuple[torch.Tensor, torch.Tensor]]:
    holistic = grasp.holistic
    modules = [holistic.first, *holistic.inner, *([holistic.last] if holistic.last is not None else [])]
    return [(module.weight, module.bias) for module in modules]


def expected_history(grasp: Grasp, history, weight: str, scale: float = 1.0) -> torch.Tensor:
    rows = []
    for user, items in zip(
        history.users_B.tolist(), history.items_T.split(history.layout.lengths_B.tolist()), strict=True
    ):
        fused = enhanced(
            grasp.users_nD[user], grasp.similar_users_nD[user], grasp.items_mD[items],
            grasp.similar_items_mD[items], grasp.holistic.shape.parts, weight, scale,
        )  # fmt: skip
        rows.append(mlp(fused, layers_of(grasp)))
    return torch.cat(rows)


@pytest.mark.parametrize("parts", SUBSETS)
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("attention", ["sigmoid", "softmax", "none"])
def test_history_vectors_are_those_of_the_equations(parts, depth, attention):
    grasp = build(
        attention=attention, softmax_over="sequence", mlp_depth=depth, mlp_hidden=7,
        **{part: part in parts for part in PARTS},
    )  # fmt: skip
    history = random_history(LENGTHS)
    torch.testing.assert_close(
        grasp.embed_history(history), expected_history(grasp, history, attention), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("attention", ["sigmoid", "softmax", "none"])
def test_gradients_are_those_of_the_equations(attention):
    grasp = build(attention=attention, softmax_over="sequence")
    history = random_history(LENGTHS)
    upstream = torch.randn(sum(LENGTHS), 8, generator=torch.Generator().manual_seed(1))
    parameters = [p for p in grasp.parameters() if p.requires_grad]
    ours = torch.autograd.grad((grasp.embed_history(history) * upstream).sum(), parameters)
    theirs = torch.autograd.grad((expected_history(grasp, history, attention) * upstream).sum(), parameters)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-5, atol=1e-5)


def test_learnable_scale_multiplies_the_logits_and_learns():
    grasp = build(logit_scale="learnable", logit_scale_init=3.0)
    history = random_history(LENGTHS)
    found = grasp.embed_history(history)
    torch.testing.assert_close(found, expected_history(grasp, history, "sigmoid", 3.0), rtol=1e-5, atol=1e-5)
    found.sum().backward()
    assert grasp.holistic.log_scale.grad is not None
    assert float(grasp.holistic.log_scale.grad.abs().sum()) > 0


@pytest.mark.parametrize("scope", ["prefix", "sequence"])
def test_a_softmax_candidate_joins_the_sequence_as_one_more_position(scope):
    grasp = build(attention="softmax", softmax_over=scope)
    history = random_history([4, 2])
    candidates = torch.tensor([[3, 17], [8, 0]])
    vectors = grasp.embed(history, behind(history, candidates))[1]
    starts = history.layout.starts_B.tolist()
    for row, column in itertools.product(range(2), range(2)):
        start, length = starts[row], int(history.layout.lengths_B[row])
        items = torch.cat([history.items_T[start : start + length], candidates[row, column, None]])
        user = int(history.users_B[row])
        fused = enhanced(
            grasp.users_nD[user], grasp.similar_users_nD[user], grasp.items_mD[items],
            grasp.similar_items_mD[items], PARTS, "softmax",
        )  # fmt: skip
        expected = mlp(fused, layers_of(grasp))[-1]
        torch.testing.assert_close(vectors[row, column], expected, rtol=1e-5, atol=1e-5)


def test_prefix_softmax_gives_an_item_the_same_vector_as_candidate_and_as_position():
    grasp = build(attention="softmax", softmax_over="prefix")
    history = random_history([6])
    positions = torch.arange(6)
    candidates = Candidates(history.items_T[:, None], torch.zeros(6, dtype=torch.int64), positions)
    as_position, as_candidate = grasp.embed(history, candidates)
    torch.testing.assert_close(as_candidate[:, 0], as_position, rtol=1e-5, atol=1e-5)


def test_prefix_softmax_does_not_look_ahead():
    grasp = build(attention="softmax", softmax_over="prefix")
    history = random_history([6])
    before = grasp.embed_history(history)
    history.items_T[4:] = (history.items_T[4:] + 1) % NUM_ITEMS
    torch.testing.assert_close(grasp.embed_history(history)[:4], before[:4])


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("attention", ["sigmoid", "softmax", "none"])
@pytest.mark.parametrize("id_residual", [False, True])
def test_catalogue_scores_are_dot_products_with_the_candidates_vectors(depth, attention, id_residual):
    grasp = build(attention=attention, mlp_depth=depth, id_residual=id_residual)
    history = random_history(LENGTHS)
    states = torch.randn(4, 8, generator=torch.Generator().manual_seed(2))
    everything = torch.arange(NUM_ITEMS).expand(4, -1)
    vectors = grasp.embed(history, behind(history, everything))[1]
    with torch.inference_mode():
        scores = grasp.score_catalogue(states, history, grasp.catalogue())
    torch.testing.assert_close(scores, (vectors @ states[:, :, None]).squeeze(-1), rtol=1e-5, atol=1e-5)


def test_with_unit_embeddings_the_papers_sigmoid_stays_near_one_half():
    """The note's hazard, pinned: at D = 1536 and unit norms every weight lies in 0.49..0.51."""
    u = torch.nn.functional.normalize(torch.randn(1, 1536), dim=-1)
    i = torch.nn.functional.normalize(torch.randn(50, 1536), dim=-1)
    i[0] = u[0]
    grasp = build()
    grasp.holistic.shape = type(grasp.holistic.shape)(dim=1536, width=8)
    dots = torch.stack([i @ u[0], i @ u[0]], dim=-1)
    weights = grasp.holistic.logits(dots).sigmoid()
    assert float((weights - 0.5).abs().max()) < 0.01


@pytest.mark.parametrize("scope", ["prefix", "sequence"])
def test_a_masked_item_shows_in_no_other_vector(scope):
    """Masked training would leak otherwise: the hidden answer sits in what others are divided by."""
    grasp = build(attention="softmax", softmax_over=scope)
    history = random_history([6])
    masked = torch.tensor([False, True, False, False, True, False])
    hidden = replace(history, masked_T=masked)
    candidates = Candidates(
        torch.tensor([[3, 17]] * 2), torch.zeros(2, dtype=torch.int64), torch.tensor([1, 4])
    )
    before = grasp.embed(hidden, candidates)
    changed = history.items_T.clone()
    changed[masked] = (changed[masked] + 5) % NUM_ITEMS
    after = grasp.embed(replace(hidden, items_T=changed), candidates)
    torch.testing.assert_close(after[0][~masked], before[0][~masked])
    torch.testing.assert_close(after[1], before[1])


def test_masks_at_the_start_give_finite_gradients():
    grasp = build(attention="softmax", logit_scale="learnable")
    history = replace(random_history([3]), masked_T=torch.tensor([True, True, False]))
    candidates = Candidates(torch.tensor([[3, 17]]), torch.tensor([0]), torch.tensor([0]))
    vectors, scored = grasp.embed(history, candidates)
    (vectors.square().sum() + scored.square().sum()).backward()
    assert all(torch.isfinite(p.grad).all() for p in grasp.parameters() if p.grad is not None)

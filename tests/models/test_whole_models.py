"""The contract of models with a network of their own, and TIGER against plain forms."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from builders import NUM_ITEMS, NUM_USERS, behind, model_settings, random_history, random_knowledge
from torch import Tensor

from grasp_bench.components import ENHANCERS
from grasp_bench.core.errors import TrainingError
from grasp_bench.models.batch import History
from grasp_bench.models.enhancers.base import Codes, Knowledge
from grasp_bench.models.generative.tiger import Tiger
from grasp_bench.models.generative.trie import Trie
from grasp_bench.models.layout import Layout
from grasp_bench.models.recommender import build_model
from grasp_bench.testing import check_whole_model
from grasp_bench.training.checkpoint import generator
from grasp_bench.training.objectives import OneHistoryEach
from grasp_bench.training.sequences import Sequences

SMALL = {"feed_forward": 16, "encoder_layers": 2, "decoder_layers": 2, "attention_heads": 2, "user_tokens": 3}
WHOLE = [name for name in ENHANCERS.names() if ENHANCERS.get(name).whole_model]
EVERYTHING = torch.arange(NUM_ITEMS)


@pytest.mark.parametrize("keys", [{}, {"beam": None}, {"context": "user_and_neighbours", "user_tokens": 0}])
@pytest.mark.parametrize("name", WHOLE)
def test_registered_models_keep_the_contract(name: str, keys: dict[str, object]) -> None:
    check_whole_model(name, **{**SMALL, **keys})


def tiger(**keys: object) -> Tiger:
    torch.manual_seed(4)
    settings = model_settings(enhancer="tiger", **{**SMALL, **keys})
    found = build_model(settings, NUM_USERS, NUM_ITEMS, random_knowledge())
    assert isinstance(found, Tiger)
    with torch.no_grad():  # far from uniform, so that an error shows
        found.table.weight.mul_(4)
    return found.eval()


def plain_scores(model: Tiger, history: History) -> Tensor:
    """Log-probabilities (B, m) by one decoder pass over each user and item alone, without cache or trie."""
    knowledge = random_knowledge()
    assert knowledge.codes is not None
    codes_mL, sizes = knowledge.codes.codes_mL, knowledge.codes.sizes
    firsts = [0, sizes[0], sizes[0] + sizes[1]]
    found = torch.zeros(history.layout.batch, NUM_ITEMS)
    for row in range(history.layout.batch):
        here = history.layout.sequence_T == row
        alone = History(history.users_B[row, None], history.items_T[here], Layout(here.sum()[None]))
        memory = model.states(alone, None)
        for item in range(NUM_ITEMS):
            tokens = [model.start[0]]
            for level in range(len(sizes) - 1):
                number = int(codes_mL[item, level]) + firsts[level]
                tokens.append(model.table.weight[number] * 8**0.5 + model.level_vectors[level])
            states = model.decoder(torch.stack(tokens)[None, None], memory)[0][0, 0]
            for level, size in enumerate(sizes):
                logits = model.table.weight[firsts[level] : firsts[level] + size] @ states[level]
                found[row, item] += logits.log_softmax(0)[codes_mL[item, level]]
    return found


@torch.inference_mode()
def test_scores_are_those_of_the_plain_form_asked_for_in_any_way() -> None:
    model, history = tiger(beam=None), random_history([5, 1, 9])
    expected = plain_scores(model, history)
    states = model.states(history, None)
    candidates = behind(history, EVERYTHING.expand(3, -1))
    torch.testing.assert_close(
        model.score_candidates(states, history, candidates, None), expected, rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(model.score_catalogue(states, history, None), expected, rtol=1e-4, atol=1e-4)
    wide = tiger(beam=60)
    torch.testing.assert_close(
        wide.score_catalogue(wide.states(history, None), history, None), expected, rtol=1e-4, atol=1e-4
    )


@torch.inference_mode()
@pytest.mark.parametrize("width", [1, 2, 4, 9])
def test_a_beam_keeps_the_best_prefixes_of_each_level(width: int) -> None:
    model, history = tiger(beam=width), random_history([5, 1, 9])
    exact = plain_scores(model, history)
    codes = random_knowledge().codes
    assert codes is not None
    found = model.score_catalogue(model.states(history, None), history, None)
    for row in range(3):
        alive = {()}
        for level in range(3):
            prefixes = {tuple(c[: level + 1]) for c in codes.codes_mL.tolist() if tuple(c[:level]) in alive}
            worth = {p: prefix_score(model, history, row, p) for p in prefixes}
            alive = set(sorted(prefixes, key=lambda p: -worth[p])[:width])
        kept = {item for item in range(NUM_ITEMS) if tuple(codes.codes_mL[item].tolist()) in alive}
        assert set(found[row].isfinite().nonzero()[:, 0].tolist()) == kept
        torch.testing.assert_close(found[row, list(kept)], exact[row, list(kept)], rtol=1e-4, atol=1e-4)


def prefix_score(model: Tiger, history: History, row: int, prefix: tuple[int, ...]) -> float:
    """Log-probability of the first codes of an item, from its log-probabilities by level."""
    here = history.layout.sequence_T == row
    alone = History(history.users_B[row, None], history.items_T[here], Layout(here.sum()[None]))
    sizes, firsts = (4, 3, 5), [0, 4, 7]
    tokens = [model.start[0]]
    for level, code in enumerate(prefix[:-1]):
        tokens.append(model.table.weight[code + firsts[level]] * 8**0.5 + model.level_vectors[level])
    states = model.decoder(torch.stack(tokens)[None, None], model.states(alone, None))[0][0, 0]
    return sum(
        float((model.table.weight[firsts[k] : firsts[k] + sizes[k]] @ states[k]).log_softmax(0)[code])
        for k, code in enumerate(prefix)
    )


def test_the_loss_is_the_mean_over_levels_of_the_plain_form() -> None:
    model, history, targets = tiger(beam=None), random_history([5, 1, 9]), torch.tensor([4, 0, 9])
    expected = -plain_scores(model, history)[torch.arange(3), targets].mean() / 3
    torch.testing.assert_close(model.loss(history, targets), expected, rtol=1e-4, atol=1e-4)


def test_a_trie_leads_to_every_item_and_to_nothing_else() -> None:
    codes = Codes(torch.tensor([[0, 1], [2, 0], [0, 0], [0, 1]]), (3, 2))
    trie = Trie(codes)
    assert trie.leaves == 3  # the first and the last item share theirs
    for item, (first, second) in enumerate(codes.codes_mL.tolist()):
        node = int(trie.next_nodes(0)[0, first])
        leaf = int(trie.next_nodes(1)[node, second])
        assert leaf == int(trie.leaf_m[item])
        assert (int(trie.parents(2)[leaf]), int(trie.last_codes(2)[leaf])) == (node, second)
    assert int((trie.next_nodes(0) >= 0).sum()) == 2
    assert int((trie.next_nodes(1) >= 0).sum()) == 3


@torch.inference_mode()
def test_items_that_share_all_codes_tie() -> None:
    codes_mL = random_knowledge().codes.codes_mL.clone()
    codes_mL[7] = codes_mL[2]
    known = Knowledge(codes=Codes(codes_mL, (4, 3, 5)))
    history = random_history([5, 1, 9])
    for beam in (None, 60):
        torch.manual_seed(4)
        model = build_model(model_settings(enhancer="tiger", **SMALL, beam=beam), NUM_USERS, NUM_ITEMS, known)
        scores = model.eval().score_catalogue(model.states(history, None), history, None)
        assert torch.equal(scores[:, 7], scores[:, 2])
        assert bool(scores.isfinite().all())


def test_each_user_gives_histories_up_to_items_drawn_at_random() -> None:
    lengths = [4, 2, 7]
    items = torch.arange(sum(lengths))
    sequences = Sequences(items, torch.tensor([0, *lengths]).cumsum(0), NUM_ITEMS)
    seen: set[tuple[int, ...]] = set()

    class Recorder:
        examples: int | None = None

        def loss(self, history: History, targets: Tensor) -> Tensor:
            split = history.items_T.split(history.layout.lengths_B.tolist())
            seen.update((*each.tolist(), int(t)) for each, t in zip(split, targets, strict=True))
            return torch.zeros(())

    starts = [0, 4, 6]
    every = {
        tuple(range(max(start, start + place - 3), start + place + 1))
        for start, length in zip(starts, lengths, strict=True)
        for place in range(1, length)
    }
    recorder = Recorder()
    steps = OneHistoryEach(recorder, sequences, 3)  # type: ignore[arg-type]
    draws = generator(torch.device("cpu"), 1)
    steps.step(torch.tensor([2, 0, 1]), draws)
    assert seen == every
    seen.clear()
    recorder.examples = 1
    for _ in range(60):
        steps.step(torch.tensor([2, 0, 1]), draws)
    assert seen == every  # one at a time, each comes up


def test_codes_of_other_items_are_refused() -> None:
    with pytest.raises(TrainingError, match="cover 23 items, the split has 24"):
        build_model(model_settings(enhancer="tiger"), NUM_USERS, NUM_ITEMS + 1, random_knowledge())
    with pytest.raises(TrainingError, match="was given no semantic IDs"):
        build_model(model_settings(enhancer="rpg"), NUM_USERS, NUM_ITEMS, Knowledge())


def test_the_user_token_and_the_context_reach_the_scores() -> None:
    history = random_history([5, 1, 9])
    other = History(history.users_B.flip(0), history.items_T, history.layout)
    for keys in ({}, {"user_tokens": 0, "context": "user"}):
        model = tiger(**keys)
        assert not torch.allclose(*(plain_scores(model, each)[0] for each in (history, other)))
    model = tiger(user_tokens=0)
    torch.testing.assert_close(*(plain_scores(model, each) for each in (history, other)))
    assert F.mse_loss(*(plain_scores(model, each) for each in (history, other))) == 0

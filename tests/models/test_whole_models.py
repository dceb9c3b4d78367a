"""The contract of models with a network of their own, and TIGER against plain forms."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from builders import NUM_ITEMS, NUM_USERS, behind, model_settings, random_history, random_knowledge
from torch import Tensor

from grasp_bench.components import ENHANCERS
from grasp_bench.core.errors import TrainingError
from grasp_bench.evaluation.ranker import Queries, Ranker
from grasp_bench.models.batch import History
from grasp_bench.models.enhancers.base import Codes, Knowledge
from grasp_bench.models.generative.base import UNRANKED
from grasp_bench.models.generative.flexcode import FlexCode
from grasp_bench.models.generative.generator import CodeGenerator
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


def built(name: str, **keys: object) -> CodeGenerator:
    torch.manual_seed(4)
    settings = model_settings(enhancer=name, **{**SMALL, **keys})
    found = build_model(settings, NUM_USERS, NUM_ITEMS, random_knowledge())
    assert isinstance(found, CodeGenerator)
    with torch.no_grad():  # far from uniform, so that an error shows
        found.table.weight.mul_(4)
    return found.eval()


def tiger(**keys: object) -> Tiger:
    found = built("tiger", **keys)
    assert isinstance(found, Tiger)
    return found


def one_of(history: History, row: int) -> History:
    here = history.layout.sequence_T == row
    return History(history.users_B[row, None], history.items_T[here], Layout(here.sum()[None]))


def plain_states(model: CodeGenerator, alone: History, numbers: list[int]) -> Tensor:
    """States that predict the codes behind each of some codes, numbered through, without cache or trie."""
    rows = [model.table.weight[number] * 8**0.5 + model.level_vectors[k] for k, number in enumerate(numbers)]
    if isinstance(model, Tiger):
        tokens = torch.stack([model.start[0], *rows])
        return model.decoder(tokens[None, None], model.states(alone, None))[0][0, 0]
    assert isinstance(model, FlexCode)
    place = model.places.weight[len(alone.items_T)]
    before, layout = model._tokens(alone.items_T, alone.layout, alone.users_B)
    tokens = torch.cat([before, *(row[None] + place for row in rows)])
    whole = model.transformer(tokens, Layout(layout.lengths_B + len(rows)))
    return whole[len(before) - 1 :]


def plain_scores(model: CodeGenerator, history: History) -> Tensor:
    """Log-probabilities (B, m) by one pass over each user and item alone."""
    codes, firsts = random_knowledge().codes, [0, 4, 7]
    assert codes is not None
    found = torch.zeros(history.layout.batch, NUM_ITEMS)
    for row in range(history.layout.batch):
        for item, given in enumerate(codes.codes_mL.tolist()):
            numbers = [code + first for code, first in zip(given, firsts, strict=True)]
            states = plain_states(model, one_of(history, row), numbers[:-1])
            for level, size in enumerate(codes.sizes):
                logits = model.table.weight[firsts[level] : firsts[level] + size] @ states[level]
                found[row, item] += logits.log_softmax(0)[given[level]]
    return found


@torch.inference_mode()
@pytest.mark.parametrize("keys", [{}, {"context": "user_and_neighbours"}], ids=str)
@pytest.mark.parametrize("name", WHOLE)
def test_scores_are_those_of_the_plain_form_asked_for_in_any_way(name: str, keys: dict[str, object]) -> None:
    model, history = built(name, beam=None, **keys), random_history([5, 1, 9])
    expected = plain_scores(model, history)
    states = model.states(history, None)
    candidates = behind(history, EVERYTHING.expand(3, -1))
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(model.score_candidates(states, history, candidates, None), expected, **close)
    torch.testing.assert_close(model.score_catalogue(states, history, None), expected, **close)
    wide = built(name, beam=60, **keys)
    found = wide.score_catalogue(wide.states(history, None), history, None)
    torch.testing.assert_close(found, expected, **close)


@torch.inference_mode()
@pytest.mark.parametrize("width", [1, 2, 9])
@pytest.mark.parametrize("name", WHOLE)
def test_a_beam_keeps_the_best_prefixes_of_each_level(name: str, width: int) -> None:
    model, history = built(name, beam=width), random_history([5, 1, 9])
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
        assert set((found[row] > UNRANKED).nonzero()[:, 0].tolist()) == kept
        torch.testing.assert_close(found[row, list(kept)], exact[row, list(kept)], rtol=1e-4, atol=1e-4)


def prefix_score(model: CodeGenerator, history: History, row: int, prefix: tuple[int, ...]) -> float:
    """Log-probability of the first codes of an item."""
    sizes, firsts = (4, 3, 5), [0, 4, 7]
    numbers = [code + first for code, first in zip(prefix, firsts, strict=False)]
    states = plain_states(model, one_of(history, row), numbers[:-1])
    return sum(
        float((model.table.weight[firsts[k] : firsts[k] + sizes[k]] @ states[k]).log_softmax(0)[code])
        for k, code in enumerate(prefix)
    )


def test_a_history_of_all_positions_is_scored_as_its_beginnings_are() -> None:
    """FlexCode's loss is the mean of −log p of each item but the first, behind those before it."""
    model, history, targets = built("flexcode", beam=None), random_history([5, 1, 9]), torch.tensor([4, 0, 9])
    total, count = 0.0, 0
    for row in range(3):
        alone = one_of(history, row)
        items = [*alone.items_T.tolist(), int(targets[row])]
        for place in range(1, len(items)):
            some = torch.tensor(items[:place])
            before = History(alone.users_B, some, Layout(torch.tensor([place])))
            total -= float(plain_scores(model, before)[0, items[place]].detach()) / 3
            count += 1
    torch.testing.assert_close(
        model.loss(history, targets), torch.tensor(total / count), rtol=1e-4, atol=1e-4
    )


@torch.inference_mode()
@pytest.mark.parametrize("context", ["none", "user_and_neighbours"])
def test_a_later_item_changes_no_earlier_prediction(context: str) -> None:
    """The states of FlexCode before a changed code are the same, and those from it on are not."""
    model, history = built("flexcode", context=context), random_history([5, 1, 9])
    assert isinstance(model, FlexCode)
    before = {"none": 0, "user_and_neighbours": 2}[context]
    tokens, layout = model._tokens(history.items_T, history.layout, history.users_B)
    states = model.transformer(tokens, layout)
    first_of_row = [0, 5, 6]
    for row, place in ((0, 2), (2, 8)):
        items = history.items_T.clone()
        token = first_of_row[row] + place
        items[token] = next(
            other
            for other in range(NUM_ITEMS)
            if bool((model.codes_mL[other] != model.codes_mL[items[token]]).all())
        )
        changed = model.transformer(*model._tokens(items, history.layout, history.users_B))
        start = int(layout.starts_B[row])
        own = start + before + model.levels * place
        end = start + int(layout.lengths_B[row])
        untouched = [*range(own), *range(end, len(states))]
        torch.testing.assert_close(changed[untouched], states[untouched], rtol=1e-5, atol=1e-5)
        assert float((changed[own:end] - states[own:end]).abs().amax(1).min()) > 1e-3


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
        assert bool((scores > UNRANKED).all())


def test_each_user_gives_histories_up_to_items_drawn_at_random() -> None:
    lengths = [4, 2, 7]
    items = torch.arange(sum(lengths))
    sequences = Sequences(items, torch.tensor([0, *lengths]).cumsum(0), NUM_ITEMS)
    seen: set[tuple[int, ...]] = set()

    class Recorder:
        examples: int | None = None
        every_position = False

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
    seen.clear()
    recorder.every_position = True
    steps.step(torch.tensor([2, 0, 1]), draws)
    assert seen == {(0, 1, 2, 3), (4, 5), (9, 10, 11, 12)}  # each user's latest items


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


@torch.inference_mode()
def test_targets_that_a_beam_does_not_find_tie_with_the_candidates_that_it_does_not_find_either() -> None:
    """Known items are no candidates: not ties, and never listed before others."""
    items = torch.tensor([5, 9, 2, 7, 1, 8, 3, 4, 11, 0])
    negatives = torch.arange(12, 20).expand(2, -1)
    queries = Queries(torch.tensor([0, 1]), torch.tensor([6, 10]), negatives, items, torch.tensor([0, 4, 10]))
    model = tiger(beam=3)
    sampled, full = Ranker(queries, 12).full(model, 10, exclude_history=True)
    alone = Ranker(queries, 12).sampled(model)
    assert torch.equal(sampled.better, alone.better)
    scores = model.score_catalogue(model.states(histories := _histories(queries), None), histories, None)
    for row, known in enumerate(({5, 9, 2, 7}, {1, 8, 3, 4, 11, 0})):
        target = int(queries.targets_Q[row])
        pool = [item for item in range(NUM_ITEMS) if item not in known]
        better = sum(float(scores[row, item]) > float(scores[row, target]) for item in pool)
        tied = sum(float(scores[row, item]) == float(scores[row, target]) for item in pool) - 1
        assert (int(full.ranks.better[row]), int(full.ranks.tied[row])) == (better, tied)
        assert not known & set(full.recommendations[row].tolist())


def _histories(queries: Queries) -> History:
    return History(queries.users_Q, queries.items_flat, Layout(queries.offsets.diff()))

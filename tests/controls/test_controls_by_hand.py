"""Scores of controls against plain loops, and orders worked out by hand."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch

from grasp_bench.controls.markov import Markov
from grasp_bench.controls.neighbourhoods import ItemKnn
from grasp_bench.controls.unpersonalised import Popularity, RandomScores, mixed
from grasp_bench.core.errors import DataError
from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.layout import Layout

NOBODY = np.empty(0, dtype=np.int32)


def part(sequences: list[list[int]], items: int) -> TrainPart:
    flat = np.array([item for each in sequences for item in each], dtype=np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in sequences])])
    return TrainPart(len(sequences), items, flat, offsets, NOBODY, NOBODY)


def history(*sequences: list[int]) -> History:
    items = torch.tensor([item for each in sequences for item in each])
    return History(torch.arange(len(sequences)), items, Layout(torch.tensor([len(s) for s in sequences])))


def scores(control, asked: History) -> list[list[float]]:
    return control.score_catalogue(control.states(asked), asked).tolist()


def test_popularity_counts_training_interactions() -> None:
    control = Popularity.fit(part([[0, 1, 1], [1, 3]], 5), None)
    assert scores(control, history([3], [2, 2])) == [[1, 3, 0, 1, 0]] * 2


def test_markov_ranks_followers_by_count_then_everything_by_popularity() -> None:
    # After 0 came: 1 twice, 0 once (a repeat), 2 once. Popularity: 0 four, 3 four, 1 three, 2 one, 4 none.
    train = part([[0, 1, 0, 0, 1], [0, 2], [3, 3, 3, 3, 1]], 5)
    row = scores(Markov.fit(train, None), history([4, 0]))[0]
    order = sorted(range(5), key=lambda item: -row[item])
    assert order == [1, 0, 2, 3, 4]
    assert row[0] == 1 * (1 + 4) + 4
    # Nothing ever followed 4 in training: popularity alone, 0 and 3 tie.
    assert scores(Markov.fit(train, None), history([0, 4]))[0] == [4, 3, 1, 4, 0]


def test_markov_takes_no_step_within_a_time() -> None:
    train = part([[0, 1, 2, 3], [0, 1]], 5)
    tied = dataclasses.replace(train, train_tied=np.array([False, False, True, False, False, True]))
    # 0 → 1 and 2 → 3 are left of the first history, nothing of the second.
    assert sorted(zip(*Markov.fit(tied, None).links_mm.nonzero(), strict=True)) == [(0, 1), (2, 3)]
    assert scores(Markov.fit(tied, None), history([1]))[0] == [2, 2, 1, 1, 0]


def test_markov_is_what_plain_loops_count() -> None:
    rng = np.random.default_rng(9)
    sequences = [rng.integers(0, 12, rng.integers(1, 10)).tolist() for _ in range(40)]
    popularity = [sum(each.count(item) for each in sequences) for item in range(12)]
    steps = {(a, b): 0 for a in range(12) for b in range(12)}
    for each in sequences:
        for before, after in itertools.pairwise(each):
            steps[before, after] += 1
    asked = history(*([item] for item in range(12)))
    expected = [
        [steps[last, b] * (1 + max(popularity)) + popularity[b] for b in range(12)] for last in range(12)
    ]
    control = Markov.fit(part(sequences, 12), None)
    assert scores(control, asked) == expected
    items = torch.tensor([[5, 0, 11, 5]]).expand(12, 4)
    candidates = Candidates(items, torch.arange(12), torch.ones(12, dtype=torch.int64))
    found = control.score_candidates(control.states(asked), asked, candidates).tolist()
    assert found == [[row[5], row[0], row[11], row[5]] for row in expected]


def test_markov_does_not_step_from_one_user_to_the_next() -> None:
    control = Markov.fit(part([[0], [1]], 2), None)
    assert scores(control, history([0])) == [[1, 1]]


def test_item_knn_is_the_cosine_to_the_mean_of_unit_vectors() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(9, 5)) * rng.uniform(0.1, 10, size=(9, 1))
    units = [[x / math.sqrt(sum(y * y for y in row)) for x in row] for row in vectors.tolist()]
    sequences = [[0, 3, 3], [8], [1, 2, 4, 5, 6]]
    control = ItemKnn.fit(part(sequences, 9), torch.from_numpy(vectors))
    for row, items in zip(scores(control, history(*sequences)), sequences, strict=True):
        mean = [sum(units[item][d] for item in items) / len(items) for d in range(5)]
        length = math.sqrt(sum(x * x for x in mean))
        expected = [sum(a * b for a, b in zip(unit, mean, strict=True)) / length for unit in units]
        assert row == pytest.approx(expected, abs=1e-6)


def test_item_knn_of_opposite_items_is_no_nan() -> None:
    control = ItemKnn.fit(part([[0, 1]], 2), torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    assert scores(control, history([0, 1])) == [[0.0, 0.0]]


def test_item_knn_says_when_embeddings_are_of_another_split() -> None:
    with pytest.raises(DataError, match="4 item embeddings for 9 items"):
        ItemKnn.fit(part([[0]], 9), torch.ones(4, 2))


def test_random_is_splitmix64_of_user_and_item() -> None:
    def finaliser(value: int) -> int:
        """SplitMix64 in Python's integers, from its authors' C."""
        value = (value + 0x9E3779B97F4A7C15) % 2**64
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) % 2**64
        return value ^ (value >> 31)

    # The first outputs of the reference generator seeded with 0 and with 1234567.
    assert finaliser(0) == 0xE220A8397B1DCDAF
    assert finaliser(1234567) == 6457827717110365317
    assert [value % 2**64 for value in mixed(torch.tensor([0, 1234567])).tolist()] == [
        0xE220A8397B1DCDAF, 6457827717110365317,
    ]  # fmt: skip
    control = RandomScores.fit(part([[0]], 3), None)
    asked = History(torch.tensor([0, 7]), torch.tensor([0, 0]), Layout(torch.tensor([1, 1])))
    expected = [
        [
            (finaliser((finaliser((user + finaliser(42)) % 2**64) + item * 0x9E3779B97F4A7C15) % 2**64) >> 11)
            / 2**53
            for item in range(3)
        ]
        for user in (0, 7)
    ]
    assert scores(control, asked) == expected


def test_random_scores_are_spread_evenly_and_without_ties() -> None:
    control = RandomScores.fit(part([[0]], 2_000), None)
    users = History(
        torch.arange(50), torch.zeros(50, dtype=torch.int64), Layout(torch.ones(50, dtype=torch.int64))
    )
    found = control.score_catalogue(control.states(users), users)
    assert len(found.unique()) == found.numel()
    counts = torch.histc(found.flatten(), 10, 0, 1) / found.numel()
    assert (counts - 0.1).abs().max() < 0.005
    assert abs(np.corrcoef(found.numpy())[0, 1:]).max() < 0.1

"""Controls that count who had what after what, against plain loops; EASE against its own definition."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_controls_by_hand import NOBODY, history, part, scores

from grasp_bench.controls import ease, neighbourhoods
from grasp_bench.controls.ease import Ease
from grasp_bench.controls.markov import GRAIN, MarkovBackoff, MarkovSymmetric
from grasp_bench.controls.neighbourhoods import ItemCf, SequenceKnn
from grasp_bench.core.errors import DataError
from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import History
from grasp_bench.models.layout import Layout

ITEMS = 14


@pytest.fixture(scope="module")
def sequences() -> list[list[int]]:
    """Histories with repeats; the last item is in none."""
    rng = np.random.default_rng(3)
    return [rng.integers(0, ITEMS - 1, rng.integers(1, 16)).tolist() for _ in range(30)]


def expected(evidence: dict[int, float], sequences: list[list[int]], grain: float = GRAIN) -> list[float]:
    """Evidence in grains, times one more than the highest popularity, plus popularity."""
    popularity = [sum(each.count(item) for each in sequences) for item in range(ITEMS)]
    return [
        round(evidence.get(item, 0) / grain) * (1 + max(popularity)) + popularity[item]
        for item in range(ITEMS)
    ]


def close(row: list[float], evidence: dict[int, float], sequences: list[list[int]]) -> None:
    """Equal but for two grains of evidence, by which sums in another order may be rounded apart."""
    per_grain = 1 + max(sum(each.count(item) for each in sequences) for item in range(ITEMS))
    assert row == pytest.approx(expected(evidence, sequences), rel=0, abs=2 * per_grain)


def weights(sequence: list[int]) -> dict[int, float]:
    """A half to the power of the steps since an item was had last."""
    return {item: 0.5 ** (len(sequence) - 1 - place) for place, item in enumerate(sequence)}


def grained(value: float) -> float:
    """The nearest multiple of a grain."""
    return round(value / GRAIN) * GRAIN


def test_markov_symmetric_counts_neighbours_on_both_sides(sequences) -> None:
    follow: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for each in sequences:
        for before, after in itertools.pairwise(each):
            follow[before][after] += 1
            follow[after][before] += 1
    control = MarkovSymmetric.fit(part(sequences, ITEMS), None)
    found = scores(control, history(*([0, item] for item in range(ITEMS))))
    assert found == [expected(follow[item], sequences, grain=1) for item in range(ITEMS)]


def test_markov_backoff_weighs_steps_by_distance_and_items_by_recency(sequences) -> None:
    rules: dict[tuple[int, int], float] = defaultdict(float)
    for each in sequences:
        for one, other in itertools.combinations(range(len(each)), 2):
            if other - one <= 10:
                rules[each[one], each[other]] += 1 / (other - one)
    control = MarkovBackoff.fit(part(sequences, ITEMS), None)
    for row, sequence in zip(scores(control, history(*sequences)), sequences, strict=True):
        evidence = {
            b: sum(weight * rules[a, b] for a, weight in weights(sequence).items()) for b in range(ITEMS)
        }
        close(row, evidence, sequences)


def test_item_cf_is_the_shrunk_cosine_of_the_users_of_two_items(sequences) -> None:
    users = [{user for user, each in enumerate(sequences) if item in each} for item in range(ITEMS)]
    control = ItemCf.fit(part(sequences, ITEMS), None)
    for row, sequence in zip(scores(control, history(*sequences)), sequences, strict=True):
        evidence: dict[int, float] = defaultdict(float)
        for a, weight in weights(sequence).items():
            for b in set(range(ITEMS)) - {a}:
                cosine = len(users[a] & users[b]) / (math.sqrt(len(users[a]) * len(users[b])) + 10)
                evidence[b] += weight * grained(cosine)
        close(row, evidence, sequences)


def test_item_cf_keeps_the_nearest_and_their_equals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ItemCf, "neighbours", 2)
    monkeypatch.setattr(neighbourhoods, "ITEMS_AT_ONCE", 4)
    control = ItemCf.fit(part([[0, 1], [0, 1], [0, 2], [0, 3], [4, 5]], 6), None)
    row = scores(control, history([0]))[0]
    assert row[1] > row[2] == row[3] > row[0] > max(row[4:])  # 2 and 3 tie for the second place


def test_sequence_knn_adds_up_similar_users_and_never_the_user(
    sequences, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SequenceKnn, "neighbours", 4)
    control = SequenceKnn.fit(part(sequences, ITEMS), None)
    for row, (user, sequence) in zip(scores(control, history(*sequences)), enumerate(sequences), strict=True):
        similar = {
            other: grained(sum(w for a, w in weights(sequence).items() if a in each) / len(set(each)) ** 0.5)
            for other, each in enumerate(sequences)
            if other != user
        }
        least = sorted(similar.values())[-4]
        evidence: dict[int, float] = defaultdict(float)
        for other, similarity in similar.items():
            for item in set(sequences[other]) if similarity >= least else ():
                evidence[item] += similarity
        close(row, evidence, sequences)


def test_an_only_user_has_no_neighbour() -> None:
    control = SequenceKnn.fit(part([[0, 0, 1]], 3), None)
    assert scores(control, history([0, 1])) == [[2, 1, 0]]


def test_what_nothing_speaks_for_ranks_below_by_popularity() -> None:
    train = part([[0, 1], [2, 2, 2, 3]], 5)
    for control in (MarkovSymmetric, MarkovBackoff, ItemCf, SequenceKnn):
        asked = History(torch.tensor([5]), torch.tensor([0]), Layout(torch.tensor([1])))  # a user of his own
        row = scores(control.fit(train, None), asked)[0]
        assert row[1] > row[2] > row[3] > row[4]


def test_ease_solves_its_own_problem(sequences) -> None:
    """B is the only zero-diagonal minimum of ‖X − XB‖² + λ‖B‖²: the gradient vanishes off the diagonal."""
    control = Ease.fit(part(sequences, ITEMS), None)
    weights_mm = control.weights_mm.astype(float)
    x = np.array([[float(item in each) for item in range(ITEMS)] for each in sequences])
    gradient = x.T @ (x @ weights_mm - x) + Ease.penalty * weights_mm
    np.fill_diagonal(gradient, 0)
    assert not weights_mm.diagonal().any()
    assert np.abs(gradient).max() < 1e-4
    for row, each in zip(scores(control, history(*sequences)), sequences, strict=True):
        assert row == pytest.approx(weights_mm[sorted(set(each))].sum(0), abs=1e-6)


def test_an_inverse_in_blocks_is_the_inverse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "BLOCK", 5)
    x = np.random.default_rng(0).normal(size=(40, 13)).astype(np.float32)
    matrix = x.T @ x + np.eye(13, dtype=np.float32)
    found = ease.inverse(matrix.copy())
    assert np.array_equal(found, found.T)
    assert found == pytest.approx(np.linalg.inv(matrix.astype(float)), abs=1e-5)


def test_a_catalogue_too_large_for_ease_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease.psutil, "virtual_memory", lambda: SimpleNamespace(available=2**30))
    train = TrainPart(1, 20_000, NOBODY, np.array([0, 0]), NOBODY, NOBODY)
    with pytest.raises(DataError, match=r"20,000 items need 1.5 GiB, of which 1.0 are free") as caught:
        Ease.fit(train, None)
    assert "leave 'ease' out of controls" in caught.value.hint

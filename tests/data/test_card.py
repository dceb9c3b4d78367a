"""The dataset card against counting in plain Python."""

from __future__ import annotations

import io
import json
from collections import Counter

import numpy as np
from hypothesis import given
from integer_histories import histories, sequences_of

from grasp_bench.core.console import ShowingConsole
from grasp_bench.data.card import (
    card_of_dataset,
    clone_share,
    describe_lengths,
    repeat_share,
    tie_share,
    unseen_share,
)
from grasp_bench.data.card_table import card_table
from grasp_bench.data.splits import leave_one_out
from grasp_bench.spec.dataset import Dataset


@given(histories)
def test_shares_are_what_counting_gives(lists: list[list[int]]) -> None:
    split = leave_one_out(sequences_of(lists))
    evaluated = [history for history in lists if len(history) >= 3]
    trained = {item for history in lists for item in (history[:-2] if len(history) >= 3 else history)}
    repeats = [history[-1] in history[:-1] for history in evaluated]
    unseen = [history[-1] not in trained for history in evaluated]
    assert repeat_share(split) == (np.mean(repeats) if repeats else 0)
    assert unseen_share(split) == (np.mean(unseen) if unseen else 0)


@given(histories)
def test_clones_are_users_of_equal_sequences(lists: list[list[int]]) -> None:
    times = Counter(map(tuple, lists))
    for others in (1, 2):
        expected = np.mean([times[tuple(history)] > others for history in lists])
        assert clone_share(sequences_of(lists), others) == expected


def test_lengths() -> None:
    found = describe_lengths(np.array([3, 3, 6, 7, 5000]))
    assert (found["min"], found["median"], found["mean"], found["max"]) == (3, 6.0, 1003.8, 5000)
    assert found["histogram"] == [
        {"from": 3, "to": 3, "users": 2},
        {"from": 6, "to": 7, "users": 2},
        {"from": 1001, "to": None, "users": 1},
    ]


def test_ties_are_within_a_user() -> None:
    import dataclasses

    sequences = dataclasses.replace(
        sequences_of([[0, 1, 2], [3, 4]]), orders=np.array([1.0, 2.0, 2.0, 2.0, 3.0])
    )
    assert tie_share(sequences) == {"interactions": 1, "users": 0.5}


def test_card_of_the_demo_prints_and_survives_json() -> None:
    from rich.console import Console

    card = card_of_dataset(Dataset(source="demo"))
    assert json.loads(json.dumps(card, allow_nan=False)) == card
    console = Console(width=100)
    with console.capture() as capture:
        console.print(card_table(card))
    text = capture.get()
    for words in ("Dataset card: demo", "1,500", "600", "repeat targets", "cloned users", "Users by length"):
        assert words in text


def test_names_on_a_card_are_neither_markup_nor_sent() -> None:
    name = "[/bold]\x1b]0;x\x07"
    card = card_of_dataset(Dataset(source="demo"))
    told = {**card, "name": name, "order": name, "items_with_text": {name: 1}}
    stream = io.StringIO()
    ShowingConsole(file=stream, width=120).print(card_table(told))
    assert stream.getvalue().count(r"[/bold]\x1b]0;x\x07") == 3

"""The order within equal times: the card, shuffles and splits by steps, against plain loops."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from integer_histories import histories, sequences_of
from scipy.stats import binom, chisquare

from grasp_bench.core.errors import DataError, LeakError
from grasp_bench.data import artefacts
from grasp_bench.data.audits.splits import audit_steps
from grasp_bench.data.card import card_of_dataset
from grasp_bench.data.entities import nothing_known
from grasp_bench.data.prepare import prepare
from grasp_bench.data.sequences import Ascent, Sequences, id_ranks, shuffled, starts_of_runs
from grasp_bench.data.splits import Split, leave_one_step_out
from grasp_bench.data.splitting import split_by_protocol
from grasp_bench.spec.dataset import Dataset

Steps = list[list[list[int]]]
steps = st.lists(
    st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=3), min_size=1, max_size=5),
    min_size=1,
    max_size=8,
)


def of_steps(users: Steps) -> Sequences:
    """Histories of steps: what stands in one has one time."""
    flat = sequences_of([[item for step in user for item in step] for user in users])
    times = [1_000 + 7 * k for user in users for k, step in enumerate(user) for _ in step]
    return dataclasses.replace(flat, orders=np.array(times))


def write(folder: Path, rows: list[tuple[str, str, int]], column: str) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    lines = [f"user_id,item_id,{column}", *(",".join(map(str, row)) for row in rows)]
    (folder / "interactions.csv").write_text("\n".join(lines) + "\n")
    return {"source": str(folder)}


@given(st.lists(st.integers(0, 300).map(str), min_size=1) | st.lists(st.text("aB9", min_size=1), min_size=1))
def test_ids_are_ordered_as_numbers_or_as_text(ids: list[str]) -> None:
    numbers = all(each.isdecimal() for each in ids)
    ranks = id_ranks(ids)
    for (a, x), (b, y) in itertools.product(zip(ids, ranks, strict=True), repeat=2):
        assert (x < y) == ((int(a) < int(b)) if numbers else a < b)


@given(st.integers(1, 3_000), st.floats(0, 1))
def test_beyond_chance_is_a_binomial_matter(pairs: int, share: float) -> None:
    found = Ascent(pairs, round(pairs * share))
    tail = float(binom.sf(found.ascending - 1, pairs, 0.5))
    if found.beyond_chance:
        assert tail < 1e-5
        assert found.implied_ties > 0.02
    elif found.implied_ties > 0.02:
        assert tail > 1e-8


def test_the_card_counts_ascending_pairs_and_warns(data_root: Path) -> None:
    histories_of: dict[str, list[str]] = {}
    for line in (data_root / "amazon-beauty" / "interactions.csv").read_text().splitlines()[1:]:
        user, item, _ = line.split(",")
        histories_of.setdefault(user, []).append(item)
    pairs = [pair for items in histories_of.values() for pair in itertools.pairwise(items)]
    card = card_of_dataset(Dataset(source=str(data_root / "amazon-beauty")))
    found = card["item_order"]
    ascending = sum(a < b for a, b in pairs) / sum(a != b for a, b in pairs)
    assert found["neighbours"]["ascending"] == pytest.approx(ascending)
    assert round(found["neighbours"]["ascending"], 3) == 0.694
    assert round(found["valid_to_test"]["ascending"], 3) == 0.712
    assert found["valid_to_test"]["ascending"] == pytest.approx(
        sum(items[-2] < items[-1] for items in histories_of.values()) / len(histories_of)
    )
    assert found["tied"] is None
    assert "69.4 % of neighbouring" in card["warnings"][0]
    mended = card_of_dataset(
        Dataset(source=str(data_root / "amazon-beauty"), repair={"ascending_runs": "shuffle"})
    )
    assert mended["warnings"] == []
    assert mended["name"] == "amazon-beauty (ascending runs shuffled, seed 42)"


def test_where_there_are_times_ties_alone_warn(data_root: Path) -> None:
    card = card_of_dataset(Dataset(source=str(data_root / "movielens-small")))
    assert card["item_order"]["tied"]["pairs"] == card["time_ties"]["interactions"] == 15_790
    assert card["item_order"]["tied"]["ascending"] == 1.0
    assert "time_ties: shuffle or block" in card["warnings"][0]
    mended = Dataset(source=str(data_root / "movielens-small"), repair={"time_ties": "shuffle"})
    assert card_of_dataset(mended)["warnings"] == []


def test_ids_numbered_by_appearance_tell_nothing(data_root: Path) -> None:
    card = card_of_dataset(Dataset(source=str(data_root / "amazon-fashion"), min_item=2))
    assert card["item_order"]["neighbours"]["ascending"] > 0.6
    assert card["item_order"]["numbered_by_appearance"]
    assert card["warnings"] == []


@given(steps, st.integers(0, 99))
def test_a_shuffle_moves_items_within_their_step_alone(users: Steps, seed: int) -> None:
    sequences = of_steps(users)
    found = shuffled(sequences, ~sequences.tied, seed)
    assert found.orders.tolist() == sequences.orders.tolist()
    place = 0
    for step in itertools.chain.from_iterable(users):
        assert sorted(found.items[place : place + len(step)].tolist()) == sorted(step)
        place += len(step)
    assert shuffled(sequences, ~sequences.tied, seed).items.tolist() == found.items.tolist()


@given(histories)
def test_runs_are_maximal(lists: list[list[int]]) -> None:
    # Ids are i0 … i11, ordered as text.
    expected = [k == 0 or f"i{item}" < f"i{items[k - 1]}" for items in lists for k, item in enumerate(items)]
    assert starts_of_runs(sequences_of(lists)).tolist() == expected


def test_every_order_of_a_step_is_as_likely() -> None:
    sequences = of_steps([[[0, 1, 2]] for _ in range(6_000)])
    found = shuffled(sequences, ~sequences.tied, 42).items.reshape(-1, 3)
    times = Counter(map(tuple, found.tolist()))
    assert len(times) == 6
    assert chisquare(list(times.values())).pvalue > 1e-4


@given(steps)
def test_steps_are_held_out_whole(users: Steps) -> None:
    sequences = of_steps(users)
    split = leave_one_step_out(sequences)
    assert audit_steps(split, sequences) == len(sequences.items)
    evaluated = [k for k, user in enumerate(users) if len(user) >= 3]
    assert split.test_users.tolist() == split.valid_users.tolist() == evaluated
    assert split.test_items.tolist() == [users[k][-1][0] for k in evaluated]
    assert split.valid_items.tolist() == [users[k][-2][0] for k in evaluated]
    for rest, step in ((split.test_rest, -1), (split.valid_rest, -2)):
        expected = [(k, item) for k in evaluated for item in users[k][step][1:]]
        assert list(zip(rest.users.tolist(), rest.items.tolist(), strict=True)) == expected
    trained = [user[:-2] if len(user) >= 3 else user for user in users]
    assert split.train_items.tolist() == [i for user in trained for step in user for i in step]
    tied = [place > 0 for user in trained for step in user for place in range(len(step))]
    assert split.train_tied is not None
    assert split.train_tied.tolist() == tied
    expected_steps = [
        (before[-1], after[0]) for user in trained for before, after in itertools.pairwise(user)
    ]
    assert list(zip(*(part.tolist() for part in split.train_steps), strict=True)) == expected_steps


@given(steps)
def test_files_give_back_a_split_by_steps(tmp_path_factory: pytest.TempPathFactory, users: Steps) -> None:
    sequences, out = of_steps(users), tmp_path_factory.mktemp("split")
    split = leave_one_step_out(sequences)
    artefacts.write_split(out, split, sequences.user_ids, nothing_known(sequences.item_ids))
    found = artefacts.read_split(out)
    assert audit_steps(found, sequences) == len(sequences.items)
    np.testing.assert_array_equal(artefacts.read_train(out).train_tied, split.train_tied)


def tampered(split: Split) -> list[Split]:
    """Splits that part a step, lose what is tied, or evaluate too few."""
    swapped = dataclasses.replace(split, valid_items=split.valid_rest.items, valid_rest=split.test_rest)
    untied = dataclasses.replace(split, train_tied=None)
    fewer = dataclasses.replace(split, valid_users=split.valid_users[:0], valid_items=split.valid_items[:0])
    return [swapped, untied, fewer]


@pytest.mark.parametrize("which", range(3))
def test_the_audit_refuses_what_is_not_by_steps(which: int) -> None:
    sequences = of_steps([[[0, 1], [2, 3], [4, 5]], [[6], [7]]])
    split = leave_one_step_out(sequences)
    assert audit_steps(split, sequences) == 8
    with pytest.raises(LeakError):
        audit_steps(tampered(split)[which], sequences)


def test_a_usual_split_of_tied_histories_is_no_split_by_steps() -> None:
    from grasp_bench.data.splits import leave_one_out

    sequences = of_steps([[[0], [1], [2], [3, 4]]])
    with pytest.raises(LeakError, match=r"a step lies in two parts"):
        audit_steps(leave_one_out(sequences), sequences)


ROWS = [("a", "x", 5), ("a", "y", 5), ("a", "z", 6), ("a", "w", 6), ("a", "v", 7), ("a", "u", 7)]


def test_a_dataset_of_days_is_divided_by_steps(tmp_path: Path) -> None:
    days = write(tmp_path / "days", ROWS, "timestamp")
    dataset = Dataset(**days, repair={"time_ties": "block"})
    divided = split_by_protocol(prepare(dataset), dataset.protocol)
    assert divided.prepared.name == "days (equal times as one step, seed 42)"
    assert divided.check(divided.split) == 6
    named = divided.prepared.sequences.item_ids
    held_out = (divided.split.test_items, divided.split.test_rest.items)
    assert {named[int(part[0])] for part in held_out} == {"u", "v"}
    targets = {
        named[split_by_protocol(prepare(Dataset(**days, repair={"time_ties": "block", "order_seed": seed})),
                     dataset.protocol).split.test_items[0]]
        for seed in range(12)
    }  # fmt: skip
    assert targets == {"u", "v"}


@pytest.mark.parametrize(
    ("column", "repair", "named"),
    [
        ("position", {"time_ties": "shuffle"}, "ascending_runs"),
        ("position", {"time_ties": "block"}, "ascending_runs"),
        ("timestamp", {"ascending_runs": "shuffle"}, "time_ties: shuffle"),
    ],
)
def test_each_shuffle_is_for_its_kind_of_data(
    tmp_path: Path, column: str, repair: dict[str, str], named: str
) -> None:
    rows = [("a", item, 3 * k if column == "timestamp" else k) for k, item in enumerate("xyzw")]
    with pytest.raises(DataError) as caught:
        prepare(Dataset(**write(tmp_path / "shop", rows, column), repair=repair))
    assert named in (caught.value.hint or "")


def test_a_target_of_the_same_time_is_told(tmp_path: Path) -> None:
    rows = [*ROWS, *(("b", item, 10 * k) for k, item in enumerate("xyzw"))]
    dataset = Dataset(**write(tmp_path / "days", rows, "timestamp"))
    split = split_by_protocol(prepare(dataset), dataset.protocol).split
    assert split.test_tied is not None
    assert split.test_tied.tolist() == [True, False]

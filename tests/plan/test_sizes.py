"""How large data are guessed to be before anything was read, and said to be afterwards."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import pytest

from grasp_bench.core.store import Store
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.plan.fingerprints import Fingerprints
from grasp_bench.plan.sizes import Sizes, sizes_of
from grasp_bench.spec.experiment import Experiment

USERS, LENGTH, ITEMS = 4_000, 12, 700


def plan_of(source: Path | str, **dataset: Any) -> Plan:
    sections = {"dataset": {"source": str(source), **dataset}, "model": {}, "controls": []}
    return compile_plan(Experiment.model_validate({"name": "t", **sections}), Fingerprints())


def guessed(source: Path, **dataset: Any) -> Sizes:
    (found,) = sizes_of(plan_of(source, **dataset), Store(source.parent / "store")).values()
    return found


def rows() -> list[tuple[str, str, int]]:
    rng = random.Random(3)
    return [(f"user{u}", f"item{rng.randrange(ITEMS)}", t) for u in range(USERS) for t in range(LENGTH)]


def written(path: Path, found: list[tuple[str, str, int]]) -> Path:
    text = "user_id,item_id,timestamp\n" + "".join(f"{u},{i},{t}\n" for u, i, t in found)
    with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w") as file:
        file.write(text)
    return path


def test_users_who_stand_together_are_counted(tmp_path: Path) -> None:
    found = guessed(written(tmp_path / "a.csv", rows()))
    assert found.users == pytest.approx(USERS, rel=0.1)
    assert found.interactions == pytest.approx(USERS * LENGTH, rel=0.1)


def test_in_another_order_interactions_are_counted(tmp_path: Path) -> None:
    mixed = rows()
    random.Random(4).shuffle(mixed)
    found = guessed(written(tmp_path / "a.csv", mixed))
    assert found.interactions == pytest.approx(USERS * LENGTH, rel=0.1)
    assert USERS / 3 < found.users < 3 * USERS


def test_packed_files_hold_more_than_their_size(tmp_path: Path) -> None:
    found = guessed(written(tmp_path / "a.csv.gz", rows()))
    assert USERS * LENGTH / 2 < found.interactions < 2 * USERS * LENGTH


def test_a_line_may_be_a_whole_history(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    rng = random.Random(5)
    histories = [[rng.randrange(ITEMS) for _ in range(rng.randrange(5, 20))] for _ in range(USERS)]
    path.write_text("".join(f"{u} {' '.join(map(str, h))}\n" for u, h in enumerate(histories)))
    found = guessed(path)
    assert found.users == pytest.approx(USERS, rel=0.1)
    assert found.interactions == pytest.approx(sum(map(len, histories)), rel=0.1)


def test_users_that_are_left_out_do_not_count(tmp_path: Path) -> None:
    """Every second user is too short."""
    mixed = [row for row in rows() if int(row[0][4:]) % 2 or row[2] < 2]
    found = guessed(written(tmp_path / "a.csv", mixed), min_user=5)
    assert found.users == pytest.approx(USERS / 2, rel=0.1)
    assert found.interactions == pytest.approx(USERS / 2 * LENGTH, rel=0.1)


def test_a_sample_has_its_users_and_most_of_the_items(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", rows())
    whole, sample = guessed(path), guessed(path, sample_users=400)
    assert sample.users == 400
    assert sample.interactions == pytest.approx(400 * LENGTH, rel=0.1)
    assert 0.1 * whole.items < sample.items < whole.items
    assert guessed(path, sample_users=9_999) == whole


@pytest.mark.parametrize("text", ["", "\n\n", "user_id", "\x00\xff", '"', "a,b\n1,2\n"])
def test_an_odd_file_is_small(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode("latin-1"))
    assert guessed(path).interactions >= 1


def test_a_finished_split_says_its_sizes(tmp_path: Path) -> None:
    plan, store = plan_of("demo"), Store(tmp_path)
    split = plan.cells[0].nodes["split"]
    facts = {"users": 7, "items": 5, "interactions": 40}
    with store.writing("split", split.hash, {"facts": facts}):
        pass
    assert sizes_of(plan, store) == {split.hash: Sizes(7, 5, 40)}

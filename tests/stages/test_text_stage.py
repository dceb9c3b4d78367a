"""Stage `text`: from a split to texts, nothing held out in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from llm_server.launch import Running

from grasp_bench.core.errors import LeakError, ServiceError
from grasp_bench.core.progress import Event, silent
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_item_table, read_split, write_split
from grasp_bench.data.prepare import prepare
from grasp_bench.data.splits import Split, leave_one_out
from grasp_bench.plan.nodes import make_node
from grasp_bench.spec.dataset import Dataset
from grasp_bench.stages.context import STAGES, RunContext

NUM_USERS, NUM_ITEMS, LENGTH = 60, 200, 6
DEFAULT = {"provider": "template"}


@pytest.fixture
def split(tmp_path: Path) -> Artefact:
    """Users with six distinct items each: four to train on, one to validate, one to test."""
    rng = np.random.default_rng(0)
    histories = np.array([rng.choice(NUM_ITEMS, LENGTH, replace=False) for _ in range(NUM_USERS)], np.int32)
    users = np.arange(NUM_USERS, dtype=np.int32)
    offsets = np.arange(NUM_USERS + 1, dtype=np.int64) * (LENGTH - 2)
    data = Split(
        NUM_USERS,
        NUM_ITEMS,
        histories[:, :-2].ravel(),
        offsets,
        users,
        histories[:, -2],
        users,
        histories[:, -1],
    )
    table = pl.DataFrame(
        {
            "item_id": [f"i{k}" for k in range(NUM_ITEMS)],
            "title": [f"Product <{k}>" for k in range(NUM_ITEMS)],
            "category": ["soap"] * NUM_ITEMS,
        }
    )
    folder = tmp_path / "split"
    folder.mkdir()
    write_split(folder, data, [f"u{k}" for k in users], table)
    return Artefact(folder, {})


def run(
    split: Artefact,
    out: Path,
    side: str,
    source: dict[str, object],
    report=silent,
    ledger: Path | None = None,
):
    out.mkdir(exist_ok=True)
    node = make_node("text", {"side": side, "source": source}, {}, f"text {side}")
    facts = STAGES.get("text")().run(node, {"split": split}, out, RunContext("cpu", 1, report, ledger=ledger))
    return pl.read_parquet(out / "texts.parquet"), facts


def test_users_are_described_by_their_training_items_alone(split: Artefact, tmp_path: Path) -> None:
    table, facts = run(split, tmp_path / "out", "users", DEFAULT)
    assert table["id"].to_list() == [f"u{k}" for k in range(NUM_USERS)]
    data = read_split(split.path)
    for user, text in enumerate(table["text"]):
        named = [k for k in range(NUM_ITEMS) if f"<{k}>" in text]
        assert sorted(named) == sorted(data.train_sequence(user).tolist())
        latest_first = [f"Product <{k}>" for k in reversed(data.train_sequence(user).tolist())]
        assert ", ".join(latest_first) in text
    assert facts["count"] == NUM_USERS
    assert (facts["audit"]["test"]["checked"], facts["audit"]["test"]["found"]) == (NUM_USERS, 0)


def test_items_are_written_in_order_and_progress_is_told(split: Artefact, tmp_path: Path) -> None:
    events: list[Event] = []
    table, facts = run(split, tmp_path / "out", "items", DEFAULT, events.append)
    assert table["id"].to_list() == read_item_table(split.path)["item_id"].to_list()
    assert table["text"][7] == "The item has the following attributes: name is Product <7>; category is soap."
    assert (facts["side"], facts["distinct"]) == ("items", NUM_ITEMS)
    assert (events[-1].done, events[-1].total) == (NUM_ITEMS, NUM_ITEMS)


def test_declared_scope_beyond_training_is_a_leak(split: Artefact, tmp_path: Path) -> None:
    with pytest.raises(LeakError, match=r"text\.users"):
        run(split, tmp_path / "out", "users", {**DEFAULT, "scope": "all"})
    assert not (tmp_path / "out" / "texts.parquet").exists()


def test_profiles_that_name_test_items_are_a_leak_whatever_they_declare(
    split: Artefact, tmp_path: Path
) -> None:
    data = read_split(split.path)
    rows = [
        {"user_id": f"u{user}", "text": f"Will soon buy Product <{item}>."}
        for user, item in zip(data.test_users, data.test_items, strict=True)
    ]
    path = tmp_path / "profiles.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(LeakError, match="held-out item"):
        run(split, tmp_path / "out", "users", {"provider": "precomputed", "path": str(path)})


def test_generation_is_asked_once_and_kept_in_the_ledger(
    split: Artefact, tmp_path: Path, llm_server: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-tests-only")
    server = llm_server(answer="Said of {prompt}")
    source = {"provider": "litellm", "model": "openai/x", "api_base": server.address, "redact": ["category"]}
    ledger, events = tmp_path / "ledger.sqlite", list[Event]()
    table, facts = run(split, tmp_path / "out", "items", source, events.append, ledger)
    assert table["text"][7] == "Said of The item has the following attributes: name is Product <7>."
    assert (facts["spend"]["sent"], facts["verdicts"]["text"]) == (NUM_ITEMS, NUM_ITEMS)
    done = [event.done for event in events]
    assert done == sorted(set(done))
    assert (done[-1], events[-1].total) == (NUM_ITEMS, NUM_ITEMS)
    again, facts = run(split, tmp_path / "again", "items", {**source, "fallback": "drop"}, silent, ledger)
    assert again.equals(table)
    assert (facts["spend"]["sent"], server.counts().billed) == (0, NUM_ITEMS)
    with pytest.raises(ServiceError, match=r"text\.items: there is no ledger"):
        run(split, tmp_path / "none", "items", source)


def test_users_attributes_reach_the_template(split: Artefact, tmp_path: Path) -> None:
    people = pl.DataFrame(
        {"user_id": [f"u{k}" for k in range(NUM_USERS)], "age": [str(k) for k in range(NUM_USERS)]}
    )
    people.write_parquet(split.path / "users.parquet")
    template = tmp_path / "mine.j2"
    template.write_text("{{ user.age }} years old, likes {{ titles | join(' and ') }}")
    table, facts = run(split, tmp_path / "out", "users", {**DEFAULT, "template": str(template)})
    assert table["text"][31].startswith("31 years old, likes Product <")
    assert facts["absent_columns"] == []
    _, facts = run(
        split, tmp_path / "less", "users", {**DEFAULT, "template": str(template), "redact": ["age"]}
    )
    assert facts["distinct"] == NUM_USERS


def test_profiles_that_cover_test_items_are_refused_whatever_they_declare(
    data_root: Path, tmp_path: Path
) -> None:
    """GPT-3.5's profiles of goodreads name few titles; their words tell."""
    prepared = prepare(Dataset(source=str(data_root / "goodreads")))
    folder = tmp_path / "split"
    folder.mkdir()
    write_split(folder, leave_one_out(prepared.sequences), prepared.sequences.user_ids, prepared.items)
    profiles = str(data_root / "goodreads" / "user_profiles.jsonl")
    declared = {"provider": "precomputed", "path": profiles, "scope": "train"}
    with pytest.raises(LeakError, match=r"only the user's .* item explains"):
        run(Artefact(folder, {}), tmp_path / "refused", "users", declared)
    _, facts = run(Artefact(folder, {}), tmp_path / "marked", "users", {**declared, "leaks": "mark"})
    assert facts["audit"]["coverage"]["flagged"]
    assert facts["audit"]["coverage"]["test"]["ratio"] > 0.15


def test_profiles_of_training_positions_tell_of_the_items_before_them_alone(split, tmp_path):
    texts, facts = run(split, tmp_path / "prefix", "users", {**DEFAULT, "scope": "prefix"})
    whole = run(split, tmp_path / "train", "users", DEFAULT)[0]
    data = read_split(split.path)
    assert texts["text"].to_list()[:NUM_USERS] == whole["text"].to_list()
    assert texts.height == NUM_USERS + len(data.train_items)
    per_user = LENGTH - 2
    for token, item in enumerate(data.train_items.tolist()):
        user, position = divmod(token, per_user)
        told = texts["text"][NUM_USERS + token]
        history = data.train_sequence(user).tolist()
        assert all(f"Product <{known}>" in told for known in history[: position + 1]), item
        assert not any(f"Product <{later}>" in told for later in history[position + 1 :])
    assert texts["id"].n_unique() == texts.height
    assert facts["audit"]["test"]["checked"] > 0


@pytest.mark.parametrize("stale", [1, 3, 4, 9])
def test_old_profiles_do_not_know_the_latest_items(split: Artefact, tmp_path: Path, stale: int) -> None:
    table, facts = run(split, tmp_path / "out", "users", {**DEFAULT, "stale": stale})
    data = read_split(split.path)
    known = max(LENGTH - 2 - stale, 1)  # the oldest stays
    for user, text in enumerate(table["text"]):
        named = {k for k in range(NUM_ITEMS) if f"<{k}>" in text}
        assert named == set(data.train_sequence(user)[:known].tolist())
    assert facts["stale"] == {
        "interactions": stale,
        "left_out": NUM_USERS * (LENGTH - 2 - known),
        "oldest_kept": NUM_USERS if stale >= LENGTH - 2 else 0,
    }


def test_fresh_profiles_have_no_facts_about_age(split: Artefact, tmp_path: Path) -> None:
    assert "stale" not in run(split, tmp_path / "out", "users", {**DEFAULT, "stale": 0})[1]

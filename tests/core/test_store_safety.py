"""The store under damage, interruption and several hands."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from grasp_bench.core.errors import DamagedError, StoreError
from grasp_bench.core.store import Store

DIGEST = "ab" * 8


def finish(store: Store, digest: str = DIGEST) -> None:
    with store.writing("train", digest, {"hash": digest}) as out:
        (out / "a.txt").write_text("a")


def interrupted_attempt(store: Store) -> None:
    with store.writing("train", DIGEST, {}):
        time.sleep(0.05)
        raise KeyboardInterrupt


def test_an_artefact_appears_whole(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writing("train", DIGEST, {"hash": DIGEST}) as out:
        (out / "a.txt").write_text("a")
        assert not store.has("train", DIGEST)
        assert store.has_partial("train", DIGEST)
    assert store.get("train", DIGEST).file("a.txt").read_text() == "a"
    assert not store.has_partial("train", DIGEST)


def test_time_of_broken_attempts_counts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            interrupted_attempt(store)
    assert not store.has("train", DIGEST)
    assert not store.has_partial("train", DIGEST)  # a clock is nothing to resume from
    finish(store)
    assert store.get("train", DIGEST).sidecar["seconds"] >= 0.1
    assert sorted(path.name for path in store.folder("train", DIGEST).iterdir()) == ["a.txt", "artefact.json"]


@pytest.mark.parametrize("content", ["{half", "[]", json.dumps({"hash": "other"})])
def test_a_damaged_sidecar_is_named(tmp_path: Path, content: str) -> None:
    store = Store(tmp_path)
    finish(store)
    (store.folder("train", DIGEST) / "artefact.json").write_text(content)
    assert list(store.artefacts("train")) == []  # a listing moves nothing
    assert not store.was_damaged("train", DIGEST)
    with pytest.raises(DamagedError, match="damaged sidecar"):
        store.get("train", DIGEST)
    assert store.was_damaged("train", DIGEST)
    assert [(folder / "a.txt").read_text() for folder in store.set_aside()] == ["a"]


def test_missing_files_of_an_artefact_are_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finish(store)
    (store.folder("train", DIGEST) / "a.txt").unlink()
    with pytest.raises(DamagedError, match=r"a\.txt"):
        store.get("train", DIGEST).file("a.txt")
    with pytest.raises(StoreError, match="no such artefact"):
        store.get("train", "cd" * 8)


def test_listing_leaves_out_what_is_unfinished(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finish(store, "11" * 8)
    finish(store, "22" * 8)
    (tmp_path / "train" / f"{'33' * 8}.partial").mkdir()
    (tmp_path / "train" / f"{'33' * 8}.partial" / "artefact.json").write_text("{}")
    assert [found.sidecar["hash"] for found in store.artefacts("train")] == ["11" * 8, "22" * 8]
    assert list(store.artefacts("rank")) == []


def test_a_folder_without_sidecar_is_made_anew(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.folder("train", DIGEST).mkdir(parents=True)
    (store.folder("train", DIGEST) / "old.txt").write_text("old")
    assert not store.has("train", DIGEST)
    finish(store)
    assert not (store.folder("train", DIGEST) / "old.txt").exists()
    assert [(folder / "old.txt").read_text() for folder in store.set_aside()] == ["old"]


def test_who_waits_is_told_so_and_gets_the_lock(tmp_path: Path) -> None:
    store, order = Store(tmp_path), []
    held = threading.Event()

    def first() -> None:
        with store.lock("train", DIGEST, lambda: order.append("first waits")):
            held.set()
            time.sleep(0.1)
            order.append("first ends")

    thread = threading.Thread(target=first)
    thread.start()
    held.wait()
    with store.lock("train", DIGEST, lambda: order.append("second waits")):
        order.append("second begins")
    thread.join()
    assert order == ["second waits", "first ends", "second begins"]


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written") as caught:
        Store(tmp_path / "file").check_writable()
    assert "--store" in str(caught.value)
    with pytest.raises(StoreError, match="cannot be written"), Store(tmp_path / "file").lock("train", DIGEST):
        pass
    Store(tmp_path / "new" / "store").check_writable()

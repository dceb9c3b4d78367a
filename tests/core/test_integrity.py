"""Checksums: what of earlier versions is still read, and figures that ranks contradict."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from results_builder import sampled, summary

from grasp_bench.core import hashing
from grasp_bench.core.errors import DamagedError, DataError
from grasp_bench.core.published import metrics_problem, read_object
from grasp_bench.core.store import Store

DIGEST = "ab" * 8


def finish(store: Store) -> Path:
    with store.writing("rank", DIGEST, {}) as out:
        (out / "a.bin").write_bytes(b"some bytes")
    return store.folder("rank", DIGEST)


def test_the_sidecar_has_size_and_crc_of_every_file(tmp_path: Path) -> None:
    sidecar = json.loads((finish(Store(tmp_path)) / "artefact.json").read_text())
    assert sidecar["files"] == {"a.bin": {"bytes": 10, "crc32": f"{zlib.crc32(b'some bytes'):08x}"}}


def test_a_file_that_changes_after_it_was_opened_is_looked_at_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.folder("rank", DIGEST) / "a.bin"
    finish(store)
    artefact = store.get("rank", DIGEST)
    assert artefact.file("a.bin") == path
    path.write_bytes(b"same bytes")
    os.utime(path, ns=(1, 1))
    with pytest.raises(DamagedError, match="set aside as"):
        artefact.file("a.bin")
    assert store.set_aside()[0].name == f"{DIGEST}.damaged"
    finish(store)  # under the same name, and damaged once more: both are kept
    assert not store.was_damaged("rank", DIGEST)
    path.write_bytes(b"gone")
    with pytest.raises(DamagedError, match="4 bytes, 10 were written"):
        store.get("rank", DIGEST).file("a.bin")
    assert [folder.name for folder in store.set_aside()] == [f"{DIGEST}.damaged", f"{DIGEST}.damaged-2"]


def test_an_artefact_of_an_earlier_version_is_opened_as_it_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = finish(store)
    (folder / "artefact.json").write_text(json.dumps({"hash": DIGEST}))
    (folder / "a.bin").write_bytes(b"who knows")
    assert store.get("rank", DIGEST).file("a.bin").read_bytes() == b"who knows"


def test_a_digit_in_a_sealed_object_is_missed_by_nobody(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    hashing.write(path, {"value": 0.25, "n": {1: 2}})
    assert read_object(path) == {"value": 0.25, "n": {"1": 2}}
    path.write_text(path.read_text().replace("0.25", "0.35"))
    with pytest.raises(DataError, match="altered since it was written"):
        read_object(path)


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """A cell of an earlier version: figures by their definitions, no checksums."""
    ranks = np.random.default_rng(1).integers(1, 60, 200)
    metrics = {
        name: {"overall": summary(found), "head_user": summary(found[::2])}
        for name, found in (("full", ranks), ("sampled", sampled(ranks)))
    }
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    columns: dict[str, np.ndarray] = {"user": np.arange(200)}
    for name, found in (("full", ranks), ("sampled", sampled(ranks))):
        columns |= {f"{name}_better": found - 1, f"{name}_tied": np.zeros(200, dtype=int)}
    pl.DataFrame(columns).write_parquet(tmp_path / "ranks.parquet")
    return tmp_path


@pytest.mark.parametrize("key", ["full.overall.NDCG@20", "sampled.overall.HR@1", "full.head_user.MRR@5"])
def test_a_figure_that_ranks_contradict_is_named(cell: Path, key: str) -> None:
    members = np.arange(200, dtype=np.int32), {"head_user": np.arange(200) % 2 == 0}
    assert metrics_problem(cell, "mean", members) is None
    metrics = json.loads((cell / "metrics.json").read_text())
    protocol, group, name = key.split(".")
    metrics[protocol][group][name] += 1e-6
    (cell / "metrics.json").write_text(json.dumps(metrics))
    problem = metrics_problem(cell, "mean", members)
    assert problem is not None
    assert f"{protocol} {group} {name} is" in problem


def test_ranks_of_other_users_are_noticed(cell: Path) -> None:
    pl.read_parquet(cell / "ranks.parquet").head(199).write_parquet(cell / "ranks.parquet")
    assert "n 200 in metrics.json, 199 by ranks.parquet" in str(metrics_problem(cell, "mean"))
    (cell / "ranks.parquet").write_bytes(b"PAR1")
    assert "cannot be read" in str(metrics_problem(cell, "mean"))

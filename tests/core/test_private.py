"""Private folders of the store: from the first byte on, and nothing else with them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from grasp_bench.core.store import Store

DIGEST = "ab" * 8


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o777:o}"


def test_files_are_private_while_they_are_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writing("text", DIGEST, {"hash": DIGEST}, private=True) as out:
        assert mode(out) == "700"
        with (out / "lines.txt").open("w") as stream:
            assert mode(out / "lines.txt") == "600"
            stream.write("x")
        frame = pl.DataFrame({"text": ["x"]})
        frame.write_parquet(out / "a.parquet")
        frame.lazy().sink_parquet(out / "b.parquet")
    folder = store.folder("text", DIGEST)
    assert mode(folder) == "700"
    assert {path.name: mode(path) for path in folder.iterdir()} == dict.fromkeys(
        ("lines.txt", "a.parquet", "b.parquet", "artefact.json"), "600"
    )
    assert mode(folder.parent) == "755"
    (tmp_path / "after").touch()
    assert mode(tmp_path / "after") == "644"


def test_what_an_earlier_attempt_left_open_is_closed(tmp_path: Path) -> None:
    partial = tmp_path / "text" / f"{DIGEST}.partial"
    (partial / "parts").mkdir(parents=True)
    (partial / "parts" / "0.parquet").write_text("x")
    with Store(tmp_path).writing("text", DIGEST, {}, private=True) as out:
        assert [mode(path) for path in (out, out / "parts", out / "parts" / "0.parquet")] == [
            "700",
            "700",
            "600",
        ]


def test_a_failed_attempt_stays_private_and_gives_the_umask_back(tmp_path: Path) -> None:
    def attempt() -> None:
        with Store(tmp_path).writing("text", DIGEST, {}, private=True) as out:
            (out / "a").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt()
    partial = tmp_path / "text" / f"{DIGEST}.partial"
    assert {mode(path) for path in (partial, *partial.iterdir())} == {"700", "600"}
    assert os.umask(0o022) == 0o022

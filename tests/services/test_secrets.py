"""A server that refuses a key and repeats it, as some do: the key is not passed on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
from key_search import SECRET, places_of_the_key
from llm_server.launch import Running
from small_study import run, write_study


def test_a_key_that_a_server_repeats_is_not_shown(llm_server: Callable[..., Running], tmp_path: Path) -> None:
    server = llm_server(api_key="sk-another")
    write_study(tmp_path, server)
    done = run(tmp_path, "--log-format", "plain", OPENAI_API_KEY=SECRET)
    assert done.returncode == 6
    assert "holds a valid key" in done.stderr
    assert "Traceback" not in done.stderr
    assert set(server.counts().statuses) == {401}
    assert (tmp_path / ".grasp_bench" / "requests.sqlite").is_file()
    assert places_of_the_key(tmp_path, done.stdout, done.stderr) == []


def test_the_search_finds_parts_and_looks_into_compressed_files(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "log.txt").write_text(f"refused: {SECRET[:24]}…")
    pl.DataFrame({"text": [f"the key is {SECRET}"] * 99}).write_parquet(tmp_path / "texts.parquet")
    found = places_of_the_key(tmp_path, "all is well", f"or not: {SECRET[-9:]}")
    assert set(found) == {"store/log.txt", "texts.parquet", "said 1"}

"""`grasp-bench run` with a key in `.env` and columns withheld: killed twice on its way, then let finish."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from key_search import SECRET, places_of_the_key
from llm_server.launch import Running, launch
from patience import until
from small_study import CONCURRENCY, ITEMS, USERS, bodies, command, environment, run, write_study

from grasp_bench.services.ledger import connect

LATENCY = 0.1
WITHHELD = {
    "users": {"redact": ["email"], "template": "who.j2"},
    "items": {"redact": ["brand"]},
}


@dataclass(frozen=True)
class Finished:
    """A study that was killed twice and finished by a run of two workers; what that one said."""

    folder: Path
    server: Running
    said: tuple[str, str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    folder = tmp_path_factory.mktemp("killed")
    with launch(folder, latency=LATENCY, api_key=SECRET, bodies=True, honours_idempotency_key=True) as server:
        write_study(folder, server, **WITHHELD)
        (folder / "who.j2").write_text(
            "Aged {{ user.age }}, at {{ user.email }}, bought {{ titles | join(', ') }}"
        )
        (folder / ".env").write_text(f"OPENAI_API_KEY={SECRET}\n")
        kill_after(folder, server, USERS // 2)  # in the users' texts
        kill_after(folder, server, USERS + CONCURRENCY + 3)  # after them, most likely in their vectors
        done = run(folder, "--log-format", "json", "--workers", "2")  # two sides, two services at once
        assert done.returncode == 0, done.stderr
        yield Finished(folder, server, (done.stdout, done.stderr))


def kill_after(folder: Path, server: Running, received: int) -> None:
    """Kill the run and its workers when the server has had so many requests."""
    with (
        (folder / "killed.log").open("a") as log,
        subprocess.Popen(
            command("--log-format", "plain"), cwd=folder, env=environment(), stdout=log, stderr=log,
            start_new_session=True,
        ) as process,
    ):  # fmt: skip
        until(lambda: process.poll() is not None or server.counts().received >= received)
        assert process.poll() is None, (folder / "killed.log").read_text()
        os.killpg(process.pid, signal.SIGKILL)
    time.sleep(3 * LATENCY)  # the server finishes what it was asked


def test_a_killed_run_goes_on_and_pays_nothing_twice(finished: Finished) -> None:
    counts = finished.server.counts()
    assert counts.twice_billed == {}
    assert counts.received - counts.billed <= 2 * CONCURRENCY
    asked = {event["body"]: event["path"] for event in counts.of("received")}
    chats = [event for event in counts.of("billed") if asked[event["body"]].endswith("chat/completions")]
    assert len(chats) == USERS + ITEMS
    spends = [
        json.loads(sidecar.read_text())["facts"]["spend"]
        for stage in ("text", "embeddings")
        for sidecar in (finished.folder / ".grasp_bench" / stage).glob("*/artefact.json")
    ]
    assert len(spends) == 4
    assert sum(spend["input_tokens"] + spend["output_tokens"] for spend in spends) == counts.billed_tokens
    ledger = connect(finished.folder / ".grasp_bench" / "requests.sqlite")
    assert ledger.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    ledger.close()


def test_the_key_was_used_and_is_written_nowhere(finished: Finished) -> None:
    assert set(finished.server.counts().statuses) == {200}  # others get 401
    assert list((finished.folder / "results").rglob("metrics.json"))
    assert places_of_the_key(finished.folder, *finished.said) == []


def test_withheld_columns_were_never_sent(finished: Finished) -> None:
    sent = json.dumps(bodies(finished.server))
    assert all(f"Aged {20 + user}, at unknown, bought" in sent for user in range(USERS))
    assert all(f"Balm number {item}" in sent for item in range(ITEMS))
    assert "private.example" not in sent
    assert "Maker-" not in sent

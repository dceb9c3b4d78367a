"""Kill a whole study at random moments, texts and vectors by service, two workers; then let it finish.

Checked: the ledger is sound after every kill, no answer that it keeps is asked for again, what was billed
twice is no more than was in flight at a kill, and the finished figures are those of a run never killed.

    python -m tests.campaign.kills --kills 51 --seed 0
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from llm_server.launch import Running, launch
from small_study import CONCURRENCY, command, environment, write_study

from grasp_bench.services.ledger import connect

LATENCY = 0.05
SERVICES = 2  # texts and vectors: each has its own slots
KEY = {"OPENAI_API_KEY": "sk-none-at-all"}


def main() -> int:
    """Run the campaign; 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=51)
    parser.add_argument("--rounds", type=int, default=6, help="studies the kills are shared among")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    draw = random.Random(asked.seed)
    faults, killed, lost = [], 0, 0
    for number in range(asked.rounds):
        kills = asked.kills // asked.rounds + (number < asked.kills % asked.rounds)
        with tempfile.TemporaryDirectory() as folder:
            done, again, wrong = one_round(Path(folder), kills, draw)
        killed, lost = killed + done, lost + again
        faults += [f"round {number}: {each}" for each in wrong]
    print(
        f"kills {killed}, requests billed twice {lost} (at most {killed * SERVICES * CONCURRENCY} in flight)"
    )
    print("\n".join(faults) or "nothing misbehaved")
    return int(bool(faults))


def one_round(folder: Path, kills: int, draw: random.Random) -> tuple[int, int, list[str]]:
    """Kill one study so often: kills that met it alive, requests billed again, what went wrong."""
    wrong: list[str] = []
    with launch(folder, latency=LATENCY) as server:
        write_study(folder, server)
        killed = sum(killed_run(folder, draw.uniform(2.0, 9.0), wrong) for _ in range(kills))
        time.sleep(3 * LATENCY)
        run_to_its_end(folder, wrong)
        twice = sum(server.counts().twice_billed.values())
        figures = figures_of(folder)
        if twice > killed * SERVICES * CONCURRENCY:
            wrong.append(f"{twice} requests billed twice after {killed} kills")
        wrong += differences(folder, server, figures)
    return killed, twice, wrong


def killed_run(folder: Path, seconds: float, wrong: list[str]) -> bool:
    """Start the study, kill it and its workers after so many seconds; False when it was done before."""
    with subprocess.Popen(
        two_workers(), cwd=folder, env=environment(**KEY), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            wrong += unsound(folder)
            return True
    if process.returncode:
        wrong.append(f"a run that nobody killed ended with {process.returncode}")
    return False


def run_to_its_end(folder: Path, wrong: list[str]) -> None:
    """Let the study finish."""
    done = subprocess.run(
        two_workers(), cwd=folder, env=environment(**KEY), capture_output=True, text=True, check=False
    )
    if done.returncode:
        wrong.append(f"the last run ended with {done.returncode}: {done.stderr[-400:]}")
    wrong += unsound(folder)


def two_workers() -> list[str]:
    """The study's command, with two workers."""
    words = command("--log-format", "plain")
    words[words.index("--workers") + 1] = "2"
    return words


def unsound(folder: Path) -> list[str]:
    """What SQLite says of the ledger, if it is not "ok"."""
    path = folder / ".grasp_bench" / "requests.sqlite"
    if not path.is_file():
        return []
    connection = connect(path)
    found = connection.execute("PRAGMA integrity_check").fetchall()
    connection.close()
    return [] if found == [("ok",)] else [f"ledger: {found[:3]}"]


def figures_of(folder: Path) -> dict[str, str]:
    """Every cell's metrics, as they were written."""
    return {path.parent.name: path.read_text() for path in folder.glob("results/*/*/metrics.json")}


def differences(folder: Path, server: Running, figures: dict[str, str]) -> list[str]:
    """Cells whose figures differ from those of a run that was never killed."""
    with tempfile.TemporaryDirectory() as other:
        calm = Path(other)
        write_study(calm, server)
        wrong: list[str] = []
        run_to_its_end(calm, wrong)
        expected = figures_of(calm)
    names = sorted(expected.keys() | figures.keys())
    changed = [name for name in names if expected.get(name) != figures.get(name)]
    return wrong + [
        f"{name}: other figures than without kills: {json.dumps(figures.get(name))[:80]}" for name in changed
    ]


if __name__ == "__main__":
    sys.exit(main())

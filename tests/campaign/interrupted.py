"""Kill `run`, `tune` and `data prepare` at random moments; the same command then ends as if nobody had.

Checked: every finished artefact, every figure, every trial and every prepared file has the bits of a command
that was never killed. Generation by services has a campaign of its own (`kills`).

    python -m tests.campaign.interrupted --kills 40 --seed 0
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from .commands import COMMANDS, Command


def main() -> int:
    """Run the campaign; 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=40, help="of each command")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    faults = []
    for name, command in COMMANDS.items():
        draw = random.Random(f"{asked.seed}/{name}")
        rounds, wrong = campaign(command, asked.kills, draw)
        print(f"{name}: {asked.kills} kills in {rounds} rounds, {len(wrong)} misbehave", flush=True)
        faults += [f"{name}: {each}" for each in wrong]
    print("\n".join(faults) or "nothing misbehaved")
    return int(bool(faults))


def campaign(command: Command, kills: int, draw: random.Random) -> tuple[int, list[str]]:
    """Kill a command so often, in as many rounds as that takes: number of rounds, what went wrong."""
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)  # the same in all rounds, because data count by their path
        began = time.monotonic()
        expected, rounds = finished(command, folder, wrong), 0
        seconds = time.monotonic() - began
        while kills > 0:
            rounds += 1
            clear(folder)
            command.prepare(folder)
            while kills > 0 and killed(command, folder, draw.uniform(0.2, 1.1 * seconds), wrong):
                kills -= 1
            found = ends_of(command, folder, wrong)
            names = sorted(expected.keys() | found.keys())
            changed = [name for name in names if expected.get(name) != found.get(name)]
            wrong += [f"round {rounds}: {name} differs" for name in changed[:5]]
    return rounds, wrong


def clear(folder: Path) -> None:
    """Remove everything in a folder."""
    subprocess.run(["find", str(folder), "-mindepth", "1", "-delete"], check=True)


def finished(command: Command, folder: Path, wrong: list[str]) -> Mapping[str, object]:
    """How a command ends that nobody disturbs."""
    command.prepare(folder)
    return ends_of(command, folder, wrong)


def ends_of(command: Command, folder: Path, wrong: list[str]) -> Mapping[str, object]:
    """Let a command end."""
    code, said = command.finish(folder)
    if code or "Traceback" in said:
        wrong.append(f"ended with {code}: {said[-400:]}")
        return {}
    return command.ends(folder)


def killed(command: Command, folder: Path, seconds: float, wrong: list[str]) -> bool:
    """Start a command and kill it and its workers after so many seconds; False when it was done before."""
    with command.start(folder) as process:
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return True
    if process.returncode:
        wrong.append(f"ended with {process.returncode}, killed by nobody: {said[-400:]}")
    return False


if __name__ == "__main__":
    sys.exit(main())

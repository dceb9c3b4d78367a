"""All campaigns, one after the other: `make campaign`, or `pytest tests/campaign -m campaign -s -k disks`.

They take an hour and are no part of `make test`. CAMPAIGN_KILLS, CAMPAIGN_DISKS and so on set how many cases
one draws, CAMPAIGN_SEED which.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The option that counts cases and how many there are by default; `servers` and `terminal` have a fixed list.
COUNTED = {
    "interrupted": ("--kills", 40),
    "kills": ("--kills", 40),
    "disks": ("--cases", 30),
    "flipped_bytes": ("--cases", 200),
    "specs": ("--cases", 400),
    "data_files": ("--cases", 150),
    "csv_files": ("--cases", 2500),
}
FIXED = ("servers", "terminal")


@pytest.mark.campaign
@pytest.mark.parametrize("name", [*COUNTED, *FIXED])
def test_nothing_misbehaves(name: str) -> None:
    command = [sys.executable, "-u", "-m", f"tests.campaign.{name}"]
    if name in COUNTED:
        option, usual = COUNTED[name]
        seed = os.environ.get("CAMPAIGN_SEED", "0")
        command += [option, os.environ.get(f"CAMPAIGN_{name.upper()}", str(usual)), "--seed", seed]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    print(f"\n{' '.join(command[2:])}", flush=True)
    assert subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0

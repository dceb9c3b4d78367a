"""Campaigns of hostile cases: `make campaign`, or one by `python -m tests.campaign.<name>` in the root.

Each draws its cases by a seed, prints counts, and ends with 1 when a case misbehaves. The faults that they
found have tests of their own beside the code.
"""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "services"), str(TESTS / "studies")]  # test server, small studies

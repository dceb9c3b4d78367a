from __future__ import annotations

from pathlib import Path

import pytest
from results_builder import Results, three_methods


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results" / "toy_spec")


@pytest.fixture
def toy(tmp_path: Path) -> Results:
    return three_methods(tmp_path / "results" / "toy_spec")

"""Fixtures of the engine's tests."""

from __future__ import annotations

from pathlib import Path

import fake_stages
import pytest
from fake_study import Fakes


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    orders = tmp_path / "orders"
    orders.mkdir()
    monkeypatch.setenv(fake_stages.FOLDER, str(orders))
    return Fakes(orders, tmp_path / "store", tmp_path / "results")

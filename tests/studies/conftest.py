"""The small shop with everything that an inspection reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_shop import Shop, make, open_shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    made = open_shop(tmp_path_factory.mktemp("inspected") / "shop")
    make(made, made.plan, "split", "text", "embeddings", "neighbours")
    return made


@pytest.fixture
def bare(tmp_path: Path) -> Shop:
    """The same with an empty store."""
    return open_shop(tmp_path / "shop")

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE
from real_browser import ARGUMENTS, browser_path
from results_builder import Results, three_methods
from studies_written import whole_study

from grasp_bench.report.page.render import write_report


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results" / "toy_spec")


@pytest.fixture
def toy(tmp_path: Path) -> Results:
    return three_methods(tmp_path / "results" / "toy_spec")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with everything that a page may show."""
    return whole_study(tmp_path_factory.mktemp("whole") / "toy_spec").folder


@pytest.fixture(scope="session")
def whole_page(whole: Path) -> Path:
    """Its page, drawn once for what reads it as text and for what opens it in a browser."""
    return write_report(whole, None, whole.parent / "leaderboard")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium for a file that is marked `needs_browser`."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as play:
        started = play.chromium.launch(
            executable_path=browser_path(), args=ARGUMENTS, timeout=1000 * PATIENCE
        )
        yield started
        started.close()

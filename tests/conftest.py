"""Fixtures that every package's tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from llm_server.launch import Running, launch
from offline_model import needed_model

from grasp_bench.core import machine

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin take the core of other tests
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else importing litellm asks a server

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# What takes longest comes first: a file that begins late keeps one core waiting for the other.
LONGEST = [
    "test_notebooks.py", "test_tuning_command.py", "test_local_model.py", "test_scorer_export.py",
    "test_trackers.py", "test_page_in_browser.py", "test_whole_runs.py", "test_new_command.py",
]  # fmt: skip
REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put LONGEST before all other files, which stay in their order."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session", autouse=True)
def cores_of_the_machine() -> Iterator[Callable[[], int]]:
    """How many there are; for runs in this process, and workers that they start, it is one."""
    counted = machine.cores
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "cores", lambda: 1)
        yield counted


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The real datasets; skipped without them on a laptop, required where CI=true."""
    root = Path(os.environ.get("GRASP_BENCH_DATA", REPOSITORY.parent / "shared" / "data"))
    if not root.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{root} is missing: CI needs the real datasets (GRASP_BENCH_DATA)")
        pytest.skip(f"{root} is missing: set GRASP_BENCH_DATA to run tests on real data")
    return root.resolve()


@pytest.fixture(scope="session")
def minilm() -> Path:
    """Folder of all-MiniLM-L6-v2; skipped without it on a laptop, required where CI=true."""
    return needed_model()


@pytest.fixture
def llm_server(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts servers that count what they are asked: `llm_server(latency=0.05)`, see its Settings."""
    with ExitStack() as servers:
        yield lambda **settings: servers.enter_context(launch(tmp_path, **settings))

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

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

REPOSITORY = Path(__file__).resolve().parent.parent


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

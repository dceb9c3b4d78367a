"""Makes the oracle and the builders beside the tests importable."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def small_llm(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a language model of two narrow layers, for tests that build many."""
    from builders import saved_llm

    return saved_llm(tmp_path_factory.mktemp("llm"))

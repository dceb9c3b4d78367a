"""Names of key variables against litellm's own, without importing it where they are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from grasp_bench.services.credentials import KEY_VARIABLES, is_set, variable_of
from grasp_bench.spec.service import Service


@pytest.mark.parametrize(("provider", "variable"), KEY_VARIABLES.items())
def test_litellm_asks_for_these(provider: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    monkeypatch.delenv(variable, raising=False)
    assert variable in litellm.validate_environment(model=f"{provider}/x")["missing_keys"]


def test_models_and_their_variables() -> None:
    assert variable_of(Service(model="openai/gpt-4o-mini")) == "OPENAI_API_KEY"
    assert variable_of(Service(model="text-embedding-ada-002")) == "OPENAI_API_KEY"
    assert variable_of(Service(model="claude-sonnet-4-5")) == "ANTHROPIC_API_KEY"
    assert variable_of(Service(model="openai/x", api_key_env="MINE")) == "MINE"
    assert variable_of(Service(model="openai/x", api_base="http://localhost:1/v1")) is None
    assert variable_of(Service(model="ollama/x")) is None
    assert variable_of(Service(model="nobody-knows-it")) is None


def test_environment_first_then_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_KEY", raising=False)
    assert not is_set("A_KEY", tmp_path)
    (tmp_path / ".env").write_text("A_KEY=\nB_KEY='x'\n")
    assert not is_set("A_KEY", tmp_path)
    assert is_set("B_KEY", tmp_path)
    monkeypatch.setenv("A_KEY", "x")
    assert is_set("A_KEY", tmp_path)

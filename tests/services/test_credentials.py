"""Keys: found in the environment or in .env, and never shown."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from grasp_bench.core.errors import ServiceError
from grasp_bench.services.client import open_litellm
from grasp_bench.services.credentials import (
    KEY_VARIABLES,
    NO_KEY,
    Credentials,
    find_credentials,
    is_set,
    variable_of,
)
from grasp_bench.spec.service import Service

KEY = "sk-planted-0123456789abcdef"
VARIABLES = (
    "OPENAI_API_KEY",
    "AZURE_API_KEY",
    "AZURE_API_BASE",
    "AZURE_API_VERSION",
    "MY_KEY",
    "GEMINI_API_KEY",
)


@pytest.fixture(autouse=True)
def _no_keys_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def find(folder: Path, model: str = "openai/gpt-4o-mini", **settings: Any) -> Credentials:
    return find_credentials(Service(model=model, **settings), open_litellm(), folder)


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def test_a_named_variable_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-usual-0123456789")
    found = find(tmp_path, api_key_env="MY_KEY", api_base="http://llm.example/v1")
    assert (dict(found.arguments), found.key_name) == ({"api_key": KEY}, "MY_KEY")
    assert KEY not in repr(found)


def test_a_usual_variable_is_left_to_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    found = find(tmp_path)
    assert (dict(found.arguments), found.key_name) == ({}, "OPENAI_API_KEY")


@pytest.mark.parametrize(
    ("model", "settings", "name"),
    [
        ("openai/gpt-4o-mini", {}, "OPENAI_API_KEY"),
        ("anthropic/claude-sonnet-4-5", {}, "ANTHROPIC_API_KEY"),
        ("azure/mine", {"api_key_env": "MY_KEY"}, "MY_KEY"),
        ("openai/mine", {"api_key_env": "MY_KEY", "api_base": "http://localhost:1/v1"}, "MY_KEY"),
    ],
)
def test_a_missing_key_is_named(tmp_path: Path, model: str, settings: dict[str, str], name: str) -> None:
    with pytest.raises(ServiceError, match=f"no key: {name} is set neither in the environment nor") as error:
        find(tmp_path, model, **settings)
    assert f"export {name}=" in str(error.value.hint)


def test_env_file_is_read_and_not_exported(tmp_path: Path) -> None:
    import os

    (tmp_path / ".env").write_text(f"# ours\nexport OPENAI_API_KEY='{KEY}'\n")
    found = find(tmp_path)
    assert (dict(found.arguments), found.secrets) == ({"api_key": KEY}, {KEY})
    assert "OPENAI_API_KEY" not in os.environ


def test_several_variables_of_one_provider(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        f"AZURE_API_KEY={KEY}\nAZURE_API_BASE=https://mine.example\nAZURE_API_VERSION=2025-01-01\n"
    )
    of_file = {"api_key": KEY, "api_version": "2025-01-01"}
    assert find(tmp_path, "azure/mine").arguments == {**of_file, "api_base": "https://mine.example"}
    assert find(tmp_path, "azure/mine", api_base="https://other.example").arguments == of_file


@pytest.mark.parametrize(
    "base", ["http://localhost:8000/v1", "http://127.0.0.1:8000/v1", "https://h.example/v1"]
)
def test_a_server_of_ones_own_needs_no_key(tmp_path: Path, base: str) -> None:
    assert find(tmp_path, "openai/mine", api_base=base).arguments == {"api_key": NO_KEY}


def test_a_usual_key_is_not_sent_in_the_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert find(tmp_path, api_base="http://gateway.example/v1").arguments == {"api_key": NO_KEY}
    assert find(tmp_path, api_base="http://[::1]:8000/v1").arguments == {}
    assert find(tmp_path, api_base="https://gateway.example/v1").arguments == {}


def test_local_programs_and_roles_need_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OLLAMA_API_BASE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert find(tmp_path, "ollama/qwen2.5:7b").arguments == {}
    assert find(tmp_path, "bedrock/anthropic.claude-3-haiku-20240307-v1:0").arguments == {}


def test_env_file_that_git_would_take_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={KEY}\n")
    with pytest.raises(ServiceError, match="git does not ignore it") as refused:
        find(tmp_path)
    assert "add .env to .gitignore" in str(refused.value.hint)
    assert KEY not in str(refused.value)
    (tmp_path / ".gitignore").write_text(".env\n")
    assert find(tmp_path).arguments == {"api_key": KEY}
    git(tmp_path, "add", "-f", ".env")  # ignored, and in the index all the same
    with pytest.raises(ServiceError, match="git does not ignore it"):
        find(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)  # then nobody reads the file
    assert find(tmp_path).arguments == {}


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

"""Progress of bought vectors counts texts, whatever it took to get them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from llm_server.launch import Running
from llm_server.settings import Fault

from grasp_bench.encoders.litellm import LiteLLMVectors
from grasp_bench.encoders.litellm_settings import LiteLLMEncoder
from grasp_bench.services.dispatch import ServiceContext


def test_attempts_are_no_texts(
    llm_server: Callable[..., Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first text, which is asked for alone, needs two attempts."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    server = llm_server(faults=[Fault("cut", first=1)])
    keys = {"model": "openai/house-vectors", "api_base": server.address, "batch_size": 2}
    section = LiteLLMEncoder.model_validate(keys)
    heard: list[int] = []
    context = ServiceContext(tmp_path / "ledger.sqlite", "payer", section, heard.append)
    _, facts = LiteLLMVectors(section, "items", context).vectors(
        list("abcde"), [f"text {k}" for k in range(5)]
    )
    assert (facts["spend"]["sent"], facts["spend"]["retried"]) == (4, 1)
    assert heard == sorted(heard)
    assert heard[-1] == 5

"""From texts to weights, and from weights to vectors, by a small language model with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from safetensors.numpy import load_file
from small_llama import lines, write_llama

from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.encoders.causal_lm import CausalLMTextEncoder
from grasp_bench.encoders.causal_lm_settings import CausalLM
from grasp_bench.plan.nodes import make_node
from grasp_bench.stages.context import STAGES, RunContext


def texts(folder: Path, given: list[str | None]) -> Artefact:
    folder.mkdir()
    ids = [f"{folder.name}{k}" for k in range(len(given))]
    pl.DataFrame({"id": ids, "text": given}).write_parquet(folder / "texts.parquet")
    return Artefact(folder, {})


def test_both_sides_are_learnt_from_and_the_vectors_use_what_was_learnt(tmp_path: Path) -> None:
    section = {
        "kind": "causal_lm", "model": str(write_llama(tmp_path / "llama")), "pooling": "bidirectional_mean",
    }  # fmt: skip
    adapt = {"steps": 20, "batch_tokens": 64, "lr": 0.05}
    inputs = {
        "user_text": texts(tmp_path / "u", lines()[:4]),
        "item_text": texts(tmp_path / "i", lines()[3:]),
    }
    events: list[Event] = []

    def made(stage: str, settings: dict[str, Any], given: dict[str, Artefact]) -> tuple[Artefact, dict]:
        out = tmp_path / stage
        out.mkdir()
        node = make_node(stage, settings, {}, stage)
        return Artefact(out, {}), STAGES.get(stage)().run(
            node, given, out, RunContext("cpu", 1, events.append)
        )

    adaptation, facts = made("adaptation", {"encoder": {**section, "adapt": adapt}}, inputs)
    assert facts["texts"] == 10  # one is on both sides
    assert (events[-1].done, events[-1].total, events[-1].unit) == (20, 20, "steps")
    given = {"text": inputs["item_text"], "adaptation": adaptation}
    embeddings, facts = made("embeddings", {"side": "items", "encoder": section}, given)
    vectors = load_file(embeddings.file("embeddings.safetensors"))["vectors"]
    plain, adapted = (
        CausalLMTextEncoder(CausalLM(**section), adapter=at).encode(lines()[3:])
        for at in (None, adaptation.path)
    )
    np.testing.assert_allclose(vectors, adapted, atol=1e-5)
    assert np.abs(vectors - plain).max() > 0.01
    assert facts["adapter"]

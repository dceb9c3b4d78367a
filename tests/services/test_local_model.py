"""A real language model in this process: SmolLM2 from its package, against the library that it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from calling import call

from grasp_bench.core.errors import DataError, MissingFileError
from grasp_bench.services.local_batches import Batch, sampled
from grasp_bench.services.local_files import weights_version
from grasp_bench.services.local_model import GROUPED, LocalModel, Prompt, Written
from grasp_bench.services.local_provider import writer_of
from grasp_bench.services.prices import price_of
from grasp_bench.text.litellm_settings import LiteLLMText
from grasp_bench.text.providers import Account, Entities, write_texts

ITEMS = [
    "Rose soap",
    "Table lamp of antique brass",
    "A very long back brush " * 6,
    "Kite",
    "Tea",
    "Wooden puzzle",
]
MOST = 12


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return writer_of("smollm2")._model  # the one that litellm calls, so that it is loaded once


@pytest.fixture(scope="module")
def prompts(model: LocalModel) -> list[list[int]]:
    return [model.encode([{"role": "user", "content": f"Describe: {item}."}]) for item in ITEMS]


def continued(model: LocalModel, asked: list[Prompt], rows: int) -> list[Written]:
    batch, found = Batch(model, rows), dict[int, Written]()

    def refuse(error: Exception) -> None:
        raise error

    for k, prompt in enumerate(asked):
        batch.add(prompt, lambda written, k=k: found.__setitem__(k, written), refuse)
    while batch.busy:
        batch.step()
    return [found[k] for k in range(len(asked))]


def by_the_library(model: LocalModel, tokens: list[int]) -> str:
    model.model.set_attn_implementation("sdpa")
    with torch.inference_mode():
        found = model.model.generate(
            torch.tensor([tokens]),
            attention_mask=torch.ones(1, len(tokens)),
            max_new_tokens=MOST,
            do_sample=False,
        )
    model.model.set_attn_implementation(GROUPED)
    return model.decode(found[0, len(tokens) :].tolist())


def test_texts_are_those_of_the_library_whoever_is_written_beside_them(model, prompts) -> None:
    expected = [by_the_library(model, tokens) for tokens in prompts]
    # With two rows each prompt joins while another is being written; the long one moves all columns.
    for rows in (2, 16):
        found = continued(model, [Prompt(tokens, MOST) for tokens in prompts], rows)
        assert [each.text for each in found] == expected
        assert all(each.tokens == MOST and each.finish == "length" for each in found)


def test_an_answer_that_ends_by_itself_says_stop(model) -> None:
    tokens = model.encode([{"role": "user", "content": "Say only: yes"}])
    (found,) = continued(model, [Prompt(tokens, 200)], 4)
    assert found.finish == "stop"
    assert found.tokens < 200
    assert "<|" not in found.text


def test_draws_of_a_request_are_its_own(model, prompts) -> None:
    def asked(seed: int) -> list[Prompt]:
        draws = [np.random.default_rng([seed, *tokens]).random for tokens in prompts]
        return [Prompt(t, 5, 1.0, 0.9, draw) for t, draw in zip(prompts[:3], draws, strict=False)]

    alone, beside = continued(model, asked(3), 1), continued(model, asked(3), 8)
    assert alone == beside
    assert continued(model, asked(4), 8) != beside


def test_a_draw_has_the_chances_of_the_logits_and_none_outside_top_p() -> None:
    rng = np.random.default_rng(0)
    logits = torch.tensor([1.0, 3.0, 2.0, -1.0])
    drawn = [sampled(logits, Prompt([], 1, 2.0, 1.0, rng.random)) for _ in range(4000)]
    expected = np.exp(logits.numpy() / 2) / np.exp(logits.numpy() / 2).sum()
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 4000, expected, atol=0.03)
    # 3.0 has 0.64 of the probability and 2.0 another 0.24: two tokens are needed for 0.8.
    assert {sampled(logits, Prompt([], 1, 1.0, 0.8, rng.random)) for _ in range(500)} == {1, 2}


def test_a_prompt_that_is_cancelled_leaves_its_row(model, prompts) -> None:
    batch, found = Batch(model, 2), list[Written]()
    stopped = iter([False, False, *[True] * 99])
    batch.add(Prompt(prompts[0], 500, cancelled=lambda: next(stopped)), found.append, print)
    batch.add(Prompt(prompts[1], 3), found.append, print)
    steps = 0
    while batch.busy:
        batch.step()
        steps += 1
    assert steps < 9


def test_a_batch_tells_its_pace(model, prompts) -> None:
    batch, found = Batch(model), list[Written]()
    for tokens in prompts[:3]:
        batch.add(Prompt(tokens, 4), found.append, print)
    while batch.busy:
        batch.step()
    facts = batch.pace.facts()
    assert facts["prompt"] == pytest.approx(np.mean([len(tokens) for tokens in prompts[:3]]))
    # Reading gives the first token of each text, three steps the others.
    assert (facts["texts"], facts["written"], facts["rows"]) == (3, 4, 3)
    assert facts["read"] > 0 < facts["write"]


PROBED = """\
name: probed
dataset: {source: demo, sample_users: 20}
model: {enhancer: grasp}
text: {items: {provider: litellm, model: local/smollm2, max_tokens: 2, template: beauty_item}}
"""


def test_plan_probes_a_model_that_its_spec_names(model, tmp_path: Path) -> None:
    (tmp_path / "probed.yaml").write_text(PROBED)
    command = ("plan", "probed.yaml", "--format", "json", "--device", "cpu")

    def planned(*more: str) -> dict[str, Any]:
        done = call(tmp_path, *command, *more)
        assert done.exit_code == 0, done.stderr
        (found,) = json.loads(done.stdout)["local_models"]
        return found

    guess = planned()
    assert not (tmp_path / ".grasp_bench").exists()
    probed = planned("--probe")
    assert (guess["measured"], probed["measured"]) == (False, True)
    assert guess["texts"] == probed["texts"] > 0
    assert probed["written_tokens"] == 2 * probed["texts"]
    assert planned() == probed


def written(ledger: Path, **keys: object) -> tuple[list[str], dict]:
    table = pl.DataFrame({"item_id": list("abc"), "title": ITEMS[:3], "category": [None] * 3})
    about = Entities("items", list("abc"), table, np.zeros(0, dtype=np.int32), np.zeros(4, dtype=np.int64))
    source = LiteLLMText(**{"model": "local/smollm2", "max_tokens": MOST, **keys})
    stream = write_texts(source, about, Account(ledger, "node"))
    return list(stream.texts), stream.facts


def test_it_is_a_provider_like_any_other(model, tmp_path: Path) -> None:
    texts, facts = written(tmp_path / "ledger.sqlite", fallback="template")
    assert len(texts) == 3
    assert facts["spend"]["sent"] == 3
    assert (facts["speed"]["texts"], facts["speed"]["written"]) == (3, MOST)
    assert facts["spend"]["output_tokens"] == 3 * MOST
    assert facts["spend"]["cost_usd"] == 0
    assert facts["verdicts"]["over_long"] == 3  # cut at max_tokens, as any provider's answer is
    again, facts = written(tmp_path / "ledger.sqlite", fallback="template")
    assert again == texts
    assert (facts["spend"]["sent"], facts["spend"]["reused"]) == (0, 3)
    assert "speed" not in facts
    assert price_of(LiteLLMText(model="local/smollm2")).input_per_million == 0


def test_a_prompt_longer_than_the_model_reads_is_cut_off(
    model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "longest", 8)
    texts, facts = written(tmp_path / "ledger.sqlite", fallback="drop")
    assert texts == [""] * 3
    assert facts["verdicts"]["over_long"] == 3


def test_a_model_that_is_not_there_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"nowhere\.gguf: no such file"):
        written(tmp_path / "ledger.sqlite", model=f"local/{tmp_path}/nowhere.gguf")
    with pytest.raises(DataError, match="cannot be loaded"):
        written(tmp_path / "ledger.sqlite", model=f"local/{tmp_path}")


def test_other_weights_under_one_path_are_another_model(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"one")
    first = weights_version(f"local/{path}")
    path.write_bytes(b"two")
    assert weights_version(f"local/{path}") != first
    assert weights_version(f"local/{tmp_path}") == weights_version(f"local/{path}")
    assert weights_version("local/smollm2") == weights_version("openai/gpt-4o-mini") == ""

"""Vectors of causal language models: small random ones, against plain calls of transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from small_llama import BEGIN, MASK, lines, write_llama

from grasp_bench.core.errors import DataError, GraspBenchError, MissingFileError
from grasp_bench.encoders import causal_lm
from grasp_bench.encoders.causal_lm import CausalLMTextEncoder
from grasp_bench.encoders.causal_lm_settings import CausalLM
from grasp_bench.encoders.mntp import CHECKPOINT, Training, masked_batch, train_adapter

TEXTS = ["rose soap", "nail polish comb", "soap", "", "tea " * 40, "lamp kite oil mask"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_llama(tmp_path_factory.mktemp("llama"))


def encoder(folder: Path, adapter: Path | None = None, **keys: object) -> CausalLMTextEncoder:
    return CausalLMTextEncoder(CausalLM(model=str(folder), normalize=False, **keys), adapter=adapter)


def by_the_library(folder: Path, pooling: str, layers: range) -> np.ndarray:
    """Each text by itself: no padding, no batches, and attention both ways by the library's own switch."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in TEXTS:
        ids = torch.tensor([[BEGIN, *tokenizer(text, add_special_tokens=False)["input_ids"]][:32]])
        # sdpa without a causal mask: zeros are added to all scores.
        mask = torch.zeros(1, 1, ids.shape[1], ids.shape[1]) if pooling == "bidirectional_mean" else None
        states = model(ids, attention_mask=mask, output_hidden_states=True).hidden_states
        mean_LD = torch.stack([states[layer][0] for layer in layers]).mean(dim=0)
        words_LD = mean_LD[1:] if len(mean_LD) > 1 else mean_LD
        rows.append((words_LD[-1] if pooling == "last" else words_LD.mean(dim=0)).detach().numpy())
    return np.stack(rows)


@pytest.mark.parametrize(
    ("pooling", "layers", "numbers"),
    [
        ("mean", -1, range(4, 5)),
        ("mean", 2, range(2, 3)),  # layers above are not computed
        ("last", (1, 3), range(1, 4)),
        ("bidirectional_mean", (-2, -1), range(3, 5)),
        ("bidirectional_mean", 0, range(1)),
    ],
)
def test_vectors_are_pooled_states_of_the_library(
    folder: Path, pooling: str, layers: object, numbers: range
) -> None:
    made = encoder(folder, pooling=pooling, layers=layers, batch_tokens=64)
    expected = by_the_library(folder, pooling, numbers)
    np.testing.assert_allclose(made.encode(TEXTS), expected, atol=2e-5)


def test_a_mean_reads_later_tokens_only_without_the_causal_mask(folder: Path) -> None:
    """The state of a first word is the same before two others if nothing later is seen."""
    for pooling, same in (("mean", True), ("bidirectional_mean", False)):
        made = encoder(folder, pooling=pooling)
        states, _ = made._states([[BEGIN, 3, 4], [BEGIN, 3, 5]])
        assert torch.allclose(states[0, 1], states[1, 1]) is same


def test_what_no_model_can_give_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="layers: 5 are no layers") as caught:
        encoder(folder, layers=5)
    assert "0 (token embeddings) to 4" in str(caught.value.hint)
    with pytest.raises(MissingFileError, match="no such folder"):
        encoder(tmp_path / "gone")
    with pytest.raises(ValidationError, match="set pooling: bidirectional_mean"):
        CausalLM(adapt={})
    with pytest.raises(GraspBenchError, match="a stage of their own"):
        encoder(folder, pooling="bidirectional_mean", adapt={})
    monkeypatch.setattr(
        causal_lm, "two_way", lambda mask_BL, dtype: mask_BL.long()
    )  # as a model that ignores it
    with pytest.raises(DataError, match="keeps its causal mask"):
        encoder(folder, pooling="bidirectional_mean")


HOW = {"steps": 45, "batch_tokens": 64, "lora_rank": 4, "lr": 0.05, "mask_share": 0.3}


def study(folder: Path) -> CausalLM:
    return CausalLM(model=str(folder), pooling="bidirectional_mean", adapt=HOW)


@pytest.fixture(scope="module")
def adapted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("adapter")
    return out, train_adapter(study(folder), lines(), out, "cpu", 1, lambda done: None)


def test_masked_tokens_are_chosen_and_changed_as_asked(folder: Path) -> None:
    tokens = [[BEGIN, *np.random.default_rng(k).integers(3, 13, 9).tolist()] for k in range(400)]
    how = CausalLM(pooling="bidirectional_mean", adapt={"batch_tokens": 4000, "mask_share": 0.3}).adapt
    batch = masked_batch(tokens, how, 0, MASK, 13)
    assert batch.ids_BL.shape == (400, 10)
    assert not batch.predicted_BL[:, 0].any()
    assert float(batch.predicted_BL[:, 1:].float().mean()) == pytest.approx(0.3, abs=0.03)
    seen = batch.ids_BL[batch.predicted_BL]
    # A word drawn at random is the mask in 1 of 13 cases, and the old word in 1 of 13.
    assert float((seen == MASK).float().mean()) == pytest.approx(0.8 + 0.1 / 13, abs=0.04)
    assert float((seen == batch.targets_P).float().mean()) == pytest.approx(0.1 + 0.1 / 13, abs=0.03)
    again = masked_batch(tokens, how, 0, MASK, 13)
    assert torch.equal(again.ids_BL, batch.ids_BL)
    assert not torch.equal(masked_batch(tokens, how, 1, MASK, 13).ids_BL, batch.ids_BL)


def test_adaptation_learns_and_changes_vectors(folder: Path, adapted: tuple[Path, dict]) -> None:
    out, facts = adapted
    assert {path.name for path in out.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "log.jsonl",
    }  # fmt: skip
    assert facts["texts"] == 10
    assert facts["loss_of_last_tenth"] < 0.6 * facts["loss_of_first_tenth"]
    plain, trained = (encoder(folder, at, pooling="bidirectional_mean") for at in (None, out))
    assert plain.facts["weights"] == trained.facts["weights"]
    assert len(trained.facts["adapter"]) == 16
    assert np.abs(plain.encode(TEXTS) - trained.encode(TEXTS)).max() > 0.1


def test_an_interrupted_adaptation_ends_in_the_same_weights(
    folder: Path, adapted: tuple[Path, dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    step = Training.step

    def until(last: int):
        def counted(training: Training, *given: object) -> None:
            if len(training.losses) == last:
                raise KeyboardInterrupt
            taken.append(len(training.losses))
            step(training, *given)

        return counted

    monkeypatch.setattr(Training, "step", until(25))
    with pytest.raises(KeyboardInterrupt):
        train_adapter(study(folder), lines(), tmp_path, "cpu", 1, lambda done: None)
    assert (tmp_path / CHECKPOINT).is_file()
    taken.clear()
    monkeypatch.setattr(Training, "step", until(99))
    facts = train_adapter(study(folder), lines(), tmp_path, "cpu", 1, lambda done: None)
    assert taken[0] == 20
    out, whole = adapted
    assert facts == whole
    name = "adapter_model.safetensors"
    assert (tmp_path / name).read_bytes() == (out / name).read_bytes()

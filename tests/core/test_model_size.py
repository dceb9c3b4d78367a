"""The size of a language model, from the beginning of its files."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from grasp_bench.core.model_files import ModelSize, locate_model, model_size

# As its publisher states: 30 layers of 9 heads and 3 key-value heads, 576 and 1,536 wide.
SMOLLM2 = ModelSize(134_515_008, 30, 3_538_944, 2 * 30 * 3 * 64)
LAYER = 2 * 8 * (8 + 2) + 3 * 8 * 16  # of the made-up model: attention and feed-forward


def test_a_gguf_tells_its_size_without_being_loaded() -> None:
    size = model_size("smollm2")
    assert size is not None
    assert (size.layers, size.layer, size.cached) == (SMOLLM2.layers, SMOLLM2.layer, SMOLLM2.cached)
    assert size.parameters == pytest.approx(SMOLLM2.parameters, rel=1e-3)  # norms are not counted


def test_a_folder_tells_it_by_the_headers_of_its_weights(tmp_path: Path) -> None:
    config = {"num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 4, "num_key_value_heads": 1}
    (tmp_path / "config.json").write_text(json.dumps(config | {"vocab_size": 10, "intermediate_size": 16}))
    guessed = model_size(str(tmp_path))
    assert guessed == ModelSize(10 * 8 + 2 * LAYER, 2, LAYER, 2 * 2 * 2)
    header = {"__metadata__": {}, "a": {"shape": [10, 8]}, "b": {"shape": [7]}}
    text = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    assert model_size(str(tmp_path)) == ModelSize(87, 2, LAYER, 8)


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF" + bytes(20), b"other"])
def test_a_file_that_is_no_model_has_no_size(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(content)
    assert locate_model(str(file)).gguf == "m.gguf"
    assert model_size(str(file)) is None


def test_a_model_that_is_not_here_has_no_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert model_size("nobody/nothing") is model_size(f"{tmp_path}/none.gguf") is None
    snapshot = tmp_path / "models--nobody--nothing" / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(
        json.dumps({"num_hidden_layers": 1, "hidden_size": 4, "num_attention_heads": 2, "vocab_size": 3})
    )
    assert model_size("nobody/nothing") == ModelSize(
        12 + 4 * 4 * 4 + 3 * 4 * 16, 1, 4 * 4 * 4 + 3 * 4 * 16, 8
    )

"""A language model as backbone, against transformers' own forward pass over padded sequences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from builders import model_settings, saved_llm
from transformers import AutoConfig, AutoModel

from grasp_bench.core.errors import DataError
from grasp_bench.models.backbones.llm import LLM, LoRA
from grasp_bench.models.layout import Layout
from grasp_bench.services.local_model import folder_of

LENGTHS = [3, 12, 1, 20, 6]


def built(seed: int = 1, **keys: Any) -> LLM:
    torch.manual_seed(seed)
    return LLM.from_settings(model_settings(backbone="llm", **keys)).eval()


@torch.no_grad()
def states(backbone: LLM) -> torch.Tensor:
    x_TD = torch.randn(sum(LENGTHS), 8, generator=torch.Generator().manual_seed(0))
    return backbone(x_TD, Layout(torch.tensor(LENGTHS)))


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [("smollm2", {}), ("gpt2", {}), ("qwen3", {}), ("granite", {"attention_multiplier": 0.3})],
)
@torch.no_grad()
def test_states_are_those_of_the_library_over_padded_sequences(kind, sizes, tmp_path: Path) -> None:
    name = "smollm2" if kind == "smollm2" else saved_llm(tmp_path, kind, **sizes)
    backbone = built(model=name, kept_layers=2)
    folder, layout = folder_of(name), Layout(torch.tensor(LENGTHS))
    config = AutoConfig.from_pretrained(folder, num_hidden_layers=2)
    library = AutoModel.from_pretrained(folder, config=config, attn_implementation="eager").eval()
    x_TW = 0.1 * torch.randn(sum(LENGTHS), config.hidden_size, generator=torch.Generator().manual_seed(0))
    padded = library(inputs_embeds=layout.pad(x_TW), attention_mask=layout.mask().long())
    expected = layout.unpad(padded.last_hidden_state)
    torch.testing.assert_close(backbone.read(x_TW, layout), expected, rtol=1e-4, atol=1e-4)
    size = library.get_input_embeddings().weight.square().mean().sqrt()
    torch.testing.assert_close(backbone.input_norm.weight, size.expand(config.hidden_size))


@pytest.mark.parametrize(
    ("keys", "held"),
    [
        ({}, 0),
        ({"lora_rank": 2}, 2 * 7),
        ({"weights": "random"}, 10),
        ({"frozen": False}, 10),
    ],
    ids=str,
)
def test_a_checkpoint_holds_what_cannot_be_read_again(keys: dict[str, Any], held: int) -> None:
    """Projections (7 tensors), and 7 matrices and 2 norms of a layer and the last norm, or A and B of each
    matrix with LoRA."""
    trained = built(1, **keys)
    for parameter in trained.parameters():
        parameter.data.add_(0.01 * torch.randn_like(parameter))
    stored = trained.state_dict()
    assert len(stored) == 7 + held
    other = built(2, **keys)
    assert not torch.equal(states(other), states(trained))
    other.load_state_dict(stored)
    torch.testing.assert_close(states(other), states(trained), rtol=0, atol=0)
    layers = sum(p.numel() for p in trained.transformer.parameters())
    assert (layers > 1e6) == (keys == {"frozen": False})


def test_random_weights_have_the_shape_of_the_pretrained_ones_and_come_from_the_seed() -> None:
    pretrained, random = built(1), built(1, weights="random")
    shapes = [
        {name: each.shape for name, each in model.named_buffers() if "rotary" not in name}
        for model in (pretrained, random)
    ]
    assert shapes[0] == shapes[1]
    assert pretrained.input_norm.weight.equal(random.input_norm.weight)  # only the layers differ
    assert torch.equal(states(random), states(built(1, weights="random")))
    drawn = [built(seed, weights="random").transformer.layers[0].mlp.up_proj.weight for seed in (1, 2)]
    assert not torch.equal(*drawn)


def test_lora_is_the_layer_with_the_product_added() -> None:
    backbone, plain = built(1, lora_rank=3), built(1)
    plain.load_state_dict({name: backbone.state_dict()[name] for name in plain.state_dict()})
    torch.testing.assert_close(states(backbone), states(plain), rtol=0, atol=0)  # nothing at first
    layers = [layer for layer in backbone.modules() if isinstance(layer, LoRA)]
    for layer in layers:
        layer.up.data.normal_(std=0.02)
    with_lora = states(backbone)
    for layer in layers:
        layer.linear.weight += 2 * layer.up.data @ layer.down.data
        layer.up.data.zero_()
    torch.testing.assert_close(states(backbone), with_lora, rtol=1e-4, atol=1e-4)


def test_what_cannot_be_a_backbone_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"model\.kept_layers: smollm2 has 30 layers, not 31"):
        built(model="local/smollm2", kept_layers=31)
    with pytest.raises(DataError, match="has no linear layers"):
        built(model=saved_llm(tmp_path / "gpt2", "gpt2"), lora_rank=2)
    capped = built(model=saved_llm(tmp_path / "gemma2", "gemma2"))
    with pytest.raises(DataError, match="Gemma2Attention caps scores"):
        states(capped)
    with pytest.raises(DataError, match="cannot be loaded"):
        built(model=str(tmp_path))

"""A pretrained causal language model as backbone: it reads item vectors where it read those of words.

Shape suffixes: T tokens (items of all histories), d width of the items, W of the language model, H heads,
G key-value heads, h width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grasp_bench.core.errors import DataError
from grasp_bench.models.backbones.attention_block import attend_by_torch
from grasp_bench.models.backbones.base import Backbone, initialise
from grasp_bench.models.layers import dropout
from grasp_bench.models.layout import Layout, Packing
from grasp_bench.services.local_model import folder_of, loading
from grasp_bench.spec.service import LOCAL

ATTENTION = "grasp_bench_packed"


class LLM(Backbone):
    """The first layers of a language model between projections from and to the width of the items.

    Item vectors go through a linear layer and are brought to the size of the model's own word vectors; states
    go through its final norm, a linear layer and a LayerNorm. Positions are counted from the first item. The
    tokens of all histories lie in one row without padding, and attention sees each history alone, so a model
    must take its attention from transformers' interface, as those of Llama's family, GPT-2 and most others.

    Args:
        transformer: a decoder of transformers without its word vectors.
        word_size: root mean square of its word vectors.
    """

    def __init__(self, width: int, dropout: float, transformer: Any, word_size: float) -> None:
        super().__init__()
        self.dropout = dropout
        wide = transformer.config.hidden_size
        self.input = nn.Linear(width, wide)
        self.input_norm = nn.RMSNorm(wide, eps=1e-6)
        self.output = nn.Linear(wide, width)
        self.final_norm = nn.LayerNorm(width, eps=1e-8)
        initialise(self)
        nn.init.constant_(self.input_norm.weight, word_size)
        self.transformer = transformer

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> LLM:
        """Build from `spec.model.Model.effective()`; raises as `folder_of` and `loading`."""
        transformer, word_size = load_layers(
            settings["model"].removeprefix(LOCAL), settings["kept_layers"], settings["weights"]
        )
        if settings["lora_rank"]:
            add_lora(transformer, settings["lora_rank"])
        if settings["frozen"]:
            # Pretrained weights are read again from where they lie; random ones are known to the checkpoint
            # alone.
            freeze(transformer, persistent=settings["weights"] == "random")
        return cls(settings["embedding_dim"], settings["dropout"], transformer, word_size)

    def forward(self, x_TD: Tensor, layout: Layout) -> Tensor:
        """Turn item vectors (T, d) into states (T, d)."""
        x_TD = dropout(x_TD, self.dropout, self.training)
        x_TW = self.input_norm(self.input(x_TD))
        states_TW = dropout(self.read(x_TW, layout), self.dropout, self.training)
        return self.final_norm(self.output(states_TW))

    def read(self, x_TW: Tensor, layout: Layout) -> Tensor:
        """Run the language model on vectors (T, W) in place of words; return its last states (T, W)."""
        read = self.transformer(
            inputs_embeds=x_TW[None], position_ids=layout.position_T[None], use_cache=False,
            packing=layout.packing(),
        )  # fmt: skip
        return read.last_hidden_state[0]


def load_layers(name: str, layers: int | None, weights: str) -> tuple[Any, float]:
    """Load the first layers of a model without its word vectors, and the root mean square of those.

    `random` weights have the initialisation of the model's own kind, drawn from torch's global generator.
    DataError for fewer layers than are asked for, and for what cannot be loaded.
    """
    from transformers import AutoConfig, AutoModel

    folder = folder_of(name)
    with loading(name):
        config = AutoConfig.from_pretrained(folder)
        if layers is not None:
            if layers > config.num_hidden_layers:
                raise DataError(
                    f"model.kept_layers: {name} has {config.num_hidden_layers} layers, not {layers}",
                    hint="keep fewer, or null for all",
                )
            config.num_hidden_layers = layers
            if getattr(config, "layer_types", None):
                config.layer_types = config.layer_types[:layers]
        _register()
        model = AutoModel.from_pretrained(folder, config=config, dtype=torch.float32)
        word_size = float(model.get_input_embeddings().weight.detach().square().mean().sqrt())
        if weights == "random":
            config.vocab_size, config.pad_token_id = 1, None  # word vectors are not drawn for nothing
            model = AutoModel.from_config(config, dtype=torch.float32)
        model.set_attn_implementation(ATTENTION)
    model.set_input_embeddings(None)
    return model, word_size


class LoRA(nn.Module):
    """A linear layer and the product of two trained matrices beside it, zero at first (Hu et al., ICLR 2022).

    `peft` has the same layer; to import it takes longer than to load the weights.

    Args:
        rank: r; the product counts `SCALE` times (α = `SCALE` · r).
    """

    SCALE = 2.0

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear = linear
        self.down = nn.Parameter(torch.empty(rank, linear.in_features))
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Transform (…, in) to (…, out)."""
        return self.linear(x) + self.SCALE * F.linear(F.linear(x, self.down), self.up)


def add_lora(module: nn.Module, rank: int) -> None:
    """Put LoRA beside every linear layer; DataError where there is none (GPT-2 has its own kind)."""
    found = [
        (part, name, child)
        for part in module.modules()
        for name, child in part.named_children()
        if isinstance(child, nn.Linear)
    ]
    if not found:
        raise DataError("model.lora_rank: the model has no linear layers", hint="set model.lora_rank: 0")
    for part, name, linear in found:
        setattr(part, name, LoRA(linear, rank))


def freeze(module: nn.Module, persistent: bool) -> None:
    """Turn all parameters but those of LoRA into buffers, which nothing trains.

    A checkpoint holds them if they are `persistent`.
    """
    for part in module.modules():
        if not isinstance(part, LoRA):
            for name, parameter in list(part.named_parameters(recurse=False)):
                delattr(part, name)
                part.register_buffer(name, parameter.detach(), persistent=persistent)


def packed_attention(
    module: Any, query_1HTh: Tensor, key_1GTh: Tensor, value_1GTh: Tensor, mask: None, packing: Packing,
    scaling: float | None = None, **options: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """Attend within each history, causally; attention of a language model, without its own dropout.

    DataError for attention that this is not: a cap of scores, a sink, a window shorter than a history.
    """
    window = options.get("sliding_window")
    short = window is not None and window < packing.tiers[0].width
    if short or options.get("softcap") or options.get("s_aux") is not None:
        raise DataError(
            f"model.model: {type(module).__name__} caps scores, adds a sink or has a short window",
            hint="name a model with plain attention, such as one of Llama's family, Qwen or GPT-2",
        )
    heads, width = query_1HTh.shape[1], query_1HTh.shape[3]
    if scaling is not None:  # what is called below divides by √h
        query_1HTh = query_1HTh * (scaling * math.sqrt(width))
    query_TD, key_TD, value_TD = (
        x.repeat_interleave(heads // x.shape[1], dim=1)[0].transpose(0, 1).flatten(1)
        for x in (query_1HTh, key_1GTh, value_1GTh)
    )
    mixed_TD = attend_by_torch(query_TD, torch.cat([key_TD, value_TD], dim=1), packing, heads, True, 0.0)
    return mixed_TD.unflatten(1, (heads, width))[None], None


def _register() -> None:
    """Make `packed_attention` known to transformers, which then makes no mask of its own."""
    from transformers import AttentionInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    AttentionInterface.register(ATTENTION, packed_attention)
    ALL_MASK_ATTENTION_FUNCTIONS.register(ATTENTION, lambda *arguments, **options: None)

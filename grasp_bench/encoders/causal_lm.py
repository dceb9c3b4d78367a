"""Encode with the hidden states of a causal language model, with or without its causal mask.

Such a model puts its attention sink on the first token, whose state is then far longer than all others (in
SmolLM2, layers 12 to 28, 40 to 160 times; Sun et al., "Massive Activations", 2024). So a token of beginning
stands before each text and is not pooled; LLM2Vec does the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from grasp_bench.core.errors import DataError, GraspBenchError
from grasp_bench.core.hashing import file_hash
from grasp_bench.core.machine import require
from grasp_bench.encoders.causal_lm_settings import ADAPTER, TWO_WAY, CausalLM
from grasp_bench.encoders.packed import PackedTextEncoder, masked_mean, padded
from grasp_bench.encoders.precision import resolve_dtype
from grasp_bench.services.local_files import EXTRA, locate_model, weights_version
from grasp_bench.services.local_model import load_causal_lm
from grasp_bench.spec.service import LOCAL

CPU_BATCH_TOKENS = 512  # larger batches are no faster, and have more padding
GPU_BATCH_TOKENS = 16_384  # the states of all layers are kept
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Tokens:
    """The tokens of texts, after a token of beginning, at most `limit` together."""

    def __init__(self, tokenizer: Any, limit: int) -> None:
        known = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
        self.begin = next((token for token in known if token is not None), 0)
        self._tokenizer, self._limit = tokenizer, limit

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text; only those of the beginning for an empty one."""
        if not texts:
            return []
        found = self._tokenizer(
            list(texts), add_special_tokens=False, truncation=True, max_length=self._limit - 1
        )
        return [[self.begin, *ids] for ids in found["input_ids"]]


def two_way(mask_BL: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the mask (B, 1, L, L) with which every token attends to every real token.

    transformers take a mask of four dimensions as it is, in place of the causal one.
    """
    hidden_BL = torch.zeros(mask_BL.shape, dtype=dtype, device=mask_BL.device)
    hidden_BL.masked_fill_(~mask_BL, torch.finfo(dtype).min)
    return hidden_BL[:, None, None, :].expand(-1, 1, mask_BL.shape[1], -1)


class CausalLMTextEncoder(PackedTextEncoder):
    """Pools hidden states of a causal language model.

    `adapter` is the folder of LoRA weights that belong to it (`encoders.mntp`). Errors: those of
    `load_causal_lm`, DataError for layers that the model has not and for a model that keeps its causal mask.
    """

    def __init__(
        self, section: CausalLM, device: str = "cpu", threads: int = 1, adapter: Path | None = None
    ) -> None:
        if section.adapt is not None and adapter is None:
            raise GraspBenchError(
                "encoder.adapt: these weights are trained by a stage of their own", hint="use grasp-bench run"
            )
        default = CPU_BATCH_TOKENS if device == "cpu" else GPU_BATCH_TOKENS
        super().__init__(section.batch_tokens or default, threads)
        dtype, name = resolve_dtype(section.dtype, device), section.model.removeprefix(LOCAL)
        tokenizer, model = load_causal_lm(name, DTYPES[dtype])
        config = model.config.get_text_config()
        self._layers = _layers(section, config.num_hidden_layers)
        self._tokens = Tokens(tokenizer, min(section.max_tokens, positions_of(config)))
        self._section, self._device = section, device
        if adapter is not None:
            model = require("peft", extra=EXTRA).PeftModel.from_pretrained(model, adapter).merge_and_unload()
        self._network: Any = model.base_model.requires_grad_(False).to(device)
        above = self._layers[-1] + 1  # the state before the first layer left out is in no norm yet
        if hasattr(self._network, "layers") and above < config.num_hidden_layers:
            self._network.layers = self._network.layers[:above]
        self.dim, self.unit_norm = int(config.hidden_size), section.normalize
        self.facts = {
            "model": section.model,
            "weights": _weights(name),
            "dtype": dtype,
            "torch": torch.__version__,
            **({} if adapter is None else {"adapter": file_hash(adapter / ADAPTER)}),
        }
        if section.pooling == TWO_WAY and not self._looks_ahead():
            raise DataError(
                f"encoder.pooling: {section.model} keeps its causal mask", hint="use pooling: mean or last"
            )

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return self._tokens(texts)

    def _vectors(self, tokens: Sequence[list[int]]) -> np.ndarray:
        states_BLD, mask_BL = self._states(tokens)
        lengths_B = mask_BL.sum(dim=1)
        if self._section.pooling == "last":
            pooled_BD = states_BLD[torch.arange(len(tokens)), lengths_B - 1]
        else:
            mask_BL[:, 0] = lengths_B == 1  # an empty text has only its beginning
            pooled_BD = masked_mean(states_BLD, mask_BL)
        return pooled_BD.cpu().numpy()

    def _states(self, tokens: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
        """Return the mean (B, L, D) of the chosen layers' states in float32, and the mask of real tokens."""
        ids_BL, mask_BL = padded(tokens, self._tokens.begin, self._device)
        both = self._section.pooling == TWO_WAY
        attention = two_way(mask_BL, self._network.dtype) if both else mask_BL.long()
        with torch.inference_mode():
            found = self._network(
                input_ids=ids_BL, attention_mask=attention, output_hidden_states=True, use_cache=False
            ).hidden_states
            states_BLD = torch.zeros_like(found[0], dtype=torch.float32)
            for layer in self._layers:
                states_BLD += found[layer]
        return states_BLD / len(self._layers), mask_BL.clone()

    def _looks_ahead(self) -> bool:
        """Return whether a token's state changes with the token after it; token embeddings need not."""
        states_BLD, _ = self._states([[self._tokens.begin, 0, 0], [self._tokens.begin, 0, 1]])
        return self._layers[-1] == 0 or not torch.equal(states_BLD[0, 1], states_BLD[1, 1])


def _layers(section: CausalLM, count: int) -> range:
    """Return the numbers of the hidden states to pool, of 0 (embeddings) to `count`."""
    given = section.layers if isinstance(section.layers, tuple) else (section.layers, section.layers)
    first, last = (layer + count + 1 if layer < 0 else layer for layer in given)
    if not 0 <= first <= last <= count:
        raise DataError(
            f"encoder.layers: {section.layers} are no layers of {section.model}",
            hint=f"it has {count}: use 0 (token embeddings) to {count}, or -1 (the last) to -{count + 1}",
        )
    return range(first, last + 1)


def positions_of(config: Any) -> int:
    """Return how many tokens a model reads at most."""
    return int(getattr(config, "max_position_embeddings", None) or 2**31)


def _weights(name: str) -> str:
    """Return a hash of a file's or folder's weights; the name of a hub's model, which is its identity."""
    place = locate_model(name)
    return weights_version(LOCAL + str(Path(place.name, place.gguf or ""))) or place.name

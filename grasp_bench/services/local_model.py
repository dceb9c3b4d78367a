"""Load a causal language model in this process, with attention that copies no keys and values.

Shape suffixes: B rows of the batch, H heads, G key-value heads, Q queries, C columns of the cache, D width of
a head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor
from transformers.utils import logging as transformers_logging

from grasp_bench.core.errors import DataError, MissingExtraError
from grasp_bench.core.files import cache_folder
from grasp_bench.core.hashing import file_hash
from grasp_bench.core.machine import has_bfloat16
from grasp_bench.services.local_files import EXTRA, locate_model


@dataclass
class Prompt:
    """What shall be continued, and how. `uniforms` draws numbers in [0, 1) where `temperature` is above 0."""

    tokens: list[int]
    most: int
    temperature: float = 0.0
    top_p: float = 1.0
    uniforms: Callable[[], float] = field(default=lambda: 0.0)
    cancelled: Callable[[], bool] = field(default=lambda: False)


@dataclass(frozen=True)
class Written:
    """A text, why it ended ("stop" or "length"), and its number of tokens."""

    text: str
    finish: str
    tokens: int


class LocalModel:
    """A causal language model and its tokenizer, on one device.

    Weights are bfloat16 where the device multiplies it natively, else float32: packed weights of a GGUF are
    unpacked once. Raises DataError for what is no model, or none that holds conversations.
    """

    def __init__(self, name: str, device: str = "cpu") -> None:
        native = has_bfloat16() if device == "cpu" else True
        self.dtype = torch.bfloat16 if native else torch.float32
        self.tokenizer, model = load_causal_lm(name, self.dtype)
        if self.tokenizer.chat_template is None:
            raise DataError(
                f"local/{name}: has no chat template", hint="name a model that is tuned to instructions"
            )
        self.device = torch.device(device)
        self.model: Any = model.to(self.device)
        _register()
        self.model.set_attn_implementation(GROUPED)
        if self.dtype == torch.float32:
            _lay_out(self.model)
        generation = getattr(self.model, "generation_config", None)
        ends = getattr(generation, "eos_token_id", None)
        listed = ends if isinstance(ends, list) else [ends]
        self.ends = {end for end in (*listed, self.tokenizer.eos_token_id) if end is not None}
        self.longest = int(getattr(self.model.config, "max_position_embeddings", 2**31))

    def encode(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Turn a conversation into tokens by the model's template."""
        found = self.tokenizer.apply_chat_template(
            list(messages), add_generation_prompt=True, return_dict=True, tokenize=True
        )
        return [int(token) for token in found["input_ids"]]

    def decode(self, tokens: Sequence[int]) -> str:
        """Turn tokens into text, without the marks of a conversation."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True)).strip()


def folder_of(name: str) -> str:
    """Return the folder or the hub's name by which transformers loads `local/<name>`; a GGUF is unpacked.

    Raises as `locate_model`; MissingExtraError for a GGUF without its reader.
    """
    place = locate_model(name)
    return place.name if place.gguf is None else str(_unpacked(name, Path(place.name, place.gguf)))


def load_causal_lm(name: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """Load tokenizer and model (with its head, on the CPU) of `local/<name>`; DataError for what is none."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = folder_of(name)
    with loading(name):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        return tokenizer, AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Name the model in the errors of transformers, and show none of its bars and reports."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"local/{name}: cannot be loaded ({str(error).splitlines()[0]})",
            hint="name a folder of transformers, a .gguf file, or a hub's model that is in its cache",
        ) from None
    finally:
        transformers_logging.set_verbosity(verbosity)
        transformers_logging.enable_progress_bar()


def _unpacked(name: str, file: Path) -> Path:
    """Return the folder with the unpacked weights and the tokenizer of a GGUF, which is made once.

    Reading a GGUF takes half a minute, mostly for its vocabulary. Folders are named by the file's content.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if find_spec("gguf") is None:
        raise MissingExtraError("gguf", EXTRA)
    kept = cache_folder() / "unpacked" / file_hash(file)
    if kept.is_dir():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=kept.parent) as made, loading(name):
        whole = Path(made, "model")
        AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name).save_pretrained(whole)
        model = AutoModelForCausalLM.from_pretrained(
            str(file.parent), gguf_file=file.name, dtype=torch.float32
        )
        # transformers does not save what it calls quantised, though the weights are unpacked.
        config = model.config
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        plain = AutoModelForCausalLM.from_config(config)
        plain.load_state_dict(model.state_dict())
        plain.save_pretrained(whole)
        try:
            whole.rename(kept)
        except OSError:
            if not kept.is_dir():  # or else another process was faster
                raise
    return kept


GROUPED = "grasp_bench_grouped"
HIDDEN = -1e30  # finite: a row of padding sees nothing, and must not become NaN


def grouped_attention(
    module: Any, query_BHQD: Tensor, key_BGCD: Tensor, value_BGCD: Tensor, mask: Tensor | None,
    scaling: float | None = None, dropout: float = 0.0, **options: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """Attend with several heads for each key-value head, without copying keys and values for each head."""
    batch, heads, queries, width = query_BHQD.shape
    groups = key_BGCD.shape[1]
    scale = width**-0.5 if scaling is None else scaling
    query = (query_BHQD * scale).reshape(batch, groups, heads // groups * queries, width)
    scores = query @ key_BGCD.transpose(2, 3)
    if mask is not None:
        scores = scores.view(batch, groups, heads // groups, queries, -1) + mask[:, :, None]
        scores = scores.view(batch, groups, heads // groups * queries, -1)
    mixed = scores.softmax(-1) @ value_BGCD
    return mixed.view(batch, heads, queries, width).transpose(1, 2), None


class WideHead(torch.nn.Linear):
    """A layer with many more outputs than inputs; it multiplies few rows from the right, which is faster."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (…, outputs) of (…, inputs)."""
        found = self.weight @ input.reshape(-1, input.shape[-1]).t()
        found = found if self.bias is None else found + self.bias[:, None]
        return found.t().unflatten(0, input.shape[:-1])


def _lay_out(model: Any) -> None:
    """Store weights as the CPU multiplies few rows fastest: 1.5 times as fast for 32 rows (MKL, AVX-512)."""
    head = model.get_output_embeddings()
    for layer in model.modules():
        if type(layer) is torch.nn.Linear:
            if layer is head:
                layer.__class__ = WideHead
            else:
                layer.weight.data = layer.weight.data.t().contiguous().t()


def _register() -> None:
    from transformers import AttentionInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    AttentionInterface.register(GROUPED, grouped_attention)
    ALL_MASK_ATTENTION_FUNCTIONS.register(GROUPED, ALL_MASK_ATTENTION_FUNCTIONS["eager"])

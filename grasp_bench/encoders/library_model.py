"""Models of any other architecture, run by the sentence_transformers library itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from grasp_bench.core.errors import DataError


class LibraryModel:
    """The library's own encode, batch by batch; it tokenizes again, which is the price of its generality."""

    def __init__(self, folder: Path, max_tokens: int, device: str) -> None:
        from sentence_transformers import SentenceTransformer

        try:
            self.network = SentenceTransformer(
                str(folder), device=device, local_files_only=True, model_kwargs={"use_safetensors": True}
            )
        except Exception as error:  # the library raises bare exceptions for damaged folders
            raise DataError(
                f"{folder}: the model cannot be loaded: {str(error).splitlines()[0]}",
                mend="download it again; weights must be in safetensors",
            ) from None
        longest = self.network.max_seq_length
        self.network.max_seq_length = min(max_tokens, longest) if longest else max_tokens
        self._device = device
        self.dim = int(self.network.encode(["probe"], show_progress_bar=False).shape[1])
        self.normalizes = any(type(module).__name__ == "Normalize" for module in self.network)

    def tokenize(self, texts: Sequence[str]) -> list[str]:
        """The texts as they are; their length in characters stands for tokens."""
        return list(texts)

    def vectors(self, tokens: Sequence[str], autocast: torch.dtype | None) -> np.ndarray:
        """Vectors (n, dim) float32 of one batch."""
        enabled = autocast is not None
        with torch.autocast(self._device.split(":")[0], autocast, enabled=enabled):
            found = self.network.encode(list(tokens), batch_size=len(tokens), show_progress_bar=False)
        return np.asarray(found, dtype=np.float32)

"""Check an encoder of another package before it encodes."""

from __future__ import annotations

import numpy as np

from grasp_bench.core.errors import PluginError
from grasp_bench.encoders.batching import TextEncoder

TEXTS = ("Rose soap, 100 g", "a table lamp of antique brass", "抹茶 🍵")
TOLERANCE = 1e-2  # of entries; low precision moves a vector of length 1 by up to 5e-3
UNIT = 1e-3


def check_encoder(encoder: TextEncoder, name: str) -> None:
    """Encode three short texts; PluginError names what differs from the contract of `TextEncoder`."""
    together = encoder.encode(TEXTS)
    wanted = (len(TEXTS), encoder.dim)
    if not isinstance(together, np.ndarray) or together.shape != wanted or together.dtype != np.float32:
        found = (
            f"{together.dtype} of shape {together.shape}"
            if isinstance(together, np.ndarray)
            else type(together).__name__
        )
        raise PluginError(
            f"encoder '{name}': encode returned {found} for {len(TEXTS)} texts",
            hint=f"return an array of float32 of shape {wanted}: dim is {encoder.dim}",
        )
    if not np.isfinite(together).all():
        raise PluginError(f"encoder '{name}': encode returned NaN or infinity", hint="correct its encode")
    lengths = np.linalg.norm(together, axis=1)
    if encoder.unit_norm and np.abs(lengths - 1).max() > UNIT:
        raise PluginError(
            f"encoder '{name}': says unit_norm and returned a vector of length {lengths.max():.3g}",
            hint="divide each vector by its length, or set unit_norm = False",
        )
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    if np.abs(alone - together).max() > TOLERANCE * max(1.0, float(lengths.max())):
        raise PluginError(
            f"encoder '{name}': the vector of a text changes with the other texts",
            hint="encode each text by itself",
        )

"""The contract of encoders of texts."""

from __future__ import annotations

from typing import Any

import numpy as np

from grasp_bench.components import ENCODERS
from grasp_bench.encoders.batching import TextEncoder
from grasp_bench.encoders.checks import check_encoder as check_vectors
from grasp_bench.spec.choices import encoder_of
from grasp_bench.spec.plugins import use_latest_plugin

TEXTS = [
    "The item has the following attributes: name is Rose soap.",
    "Crème brûlée, 抹茶, 🍵",
    "",
    "nail polish " * 400,
    "OPI Nail Lacquer, Simmer and Shimmer, 0.5-Fluid Ounce",
    *[f"{'shampoo ' * k}and conditioner {k}" for k in range(20)],
]
# How far an entry may move with the other texts, by arithmetic.
TOLERANCE = {"float32": 1e-5, "bfloat16": 5e-3, "int8": 5e-3}


def check_encoder(name: str, **keys: Any) -> None:
    """Check an encoder of texts, by its name or "module:Class", built with its default keys and `keys`.

    Vectors are float32, finite, of `dim` dimensions, of length 1 if it says so, the same in a second call and
    whatever the order and number of texts; no text and an empty text are no special cases.

    Example:
        >>> check_encoder("sentence_transformers", dtype="float32")
    """
    use_latest_plugin(ENCODERS, name)
    section = encoder_of({"kind": name, **keys})
    with ENCODERS.blamed(name):
        encoder: TextEncoder = ENCODERS.implementation(name)(section, "cpu", 1)
        check_vectors(encoder, name)
        heard: list[int] = []
        together = encoder.encode(TEXTS, heard.append)
        assert np.isfinite(together).all(), f"encoder '{name}': vectors are not finite"
        if encoder.unit_norm:
            np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-3)
        assert (encoder.encode(TEXTS) == together).all(), (
            f"encoder '{name}': a second call gives other vectors"
        )
        tolerance = TOLERANCE[encoder.facts.get("dtype", "float32")]
        order = np.random.default_rng(0).permutation(len(TEXTS))
        again = encoder.encode([TEXTS[k] for k in order])
        np.testing.assert_allclose(again, together[order], atol=tolerance, err_msg="texts in another order")
        assert encoder.encode([]).shape == (0, encoder.dim), f"encoder '{name}': no texts give no (0, dim)"
        assert heard == sorted(heard), f"encoder '{name}': progress goes back"
        assert not heard or heard[-1] == len(TEXTS), f"encoder '{name}': progress ends before the last text"

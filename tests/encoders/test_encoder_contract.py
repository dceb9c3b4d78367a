"""What every registered encoder promises, and MiniLM against the library it comes from."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from grasp_bench.components import ENCODERS
from grasp_bench.encoders.batching import TextEncoder
from grasp_bench.spec.choices import EncoderSource
from grasp_bench.spec.encoder import TextEncoderSettings
from grasp_bench.spec.service import Service
from grasp_bench.testing.encoders import TEXTS, check_encoder


@cache
def build(kind: str, **keys: object) -> TextEncoder:
    section = TypeAdapter(EncoderSource).validate_python({"kind": kind, **keys})
    return ENCODERS.implementation(kind)(section, "cpu", 1)


LOCAL = [
    name
    for name in ENCODERS
    if issubclass(ENCODERS.get(name), TextEncoderSettings) and not issubclass(ENCODERS.get(name), Service)
]


# All thirty layers of SmolLM2 take 8 ms a token here; the contract is the same for the first two.
FASTER: dict[str, dict[str, object]] = {"causal_lm": {"layers": 2, "pooling": "bidirectional_mean"}}


@pytest.mark.parametrize("name", LOCAL)
def test_registered_encoders_keep_the_contract(name: str, minilm: Path) -> None:
    check_encoder(name, **FASTER.get(name, {}))


def test_minilm_agrees_with_the_library(minilm: Path) -> None:
    from sentence_transformers import SentenceTransformer

    expected = SentenceTransformer(str(minilm), device="cpu").encode(TEXTS, show_progress_bar=False)
    exact = build("sentence_transformers", dtype="float32").encode(TEXTS)
    np.testing.assert_allclose(exact, expected, atol=1e-5)
    fast = build("sentence_transformers", dtype="bfloat16").encode(TEXTS)
    assert (fast * expected).sum(axis=1).min() > 0.9999


def test_other_architectures_go_through_the_library(minilm: Path) -> None:
    from grasp_bench.encoders.pretrained import LibraryModel

    texts = [text for text in TEXTS if text][:5]
    model = LibraryModel(minilm, 256, "cpu")
    vectors = model.vectors(model.tokenize(texts), None)
    assert (model.dim, model.normalizes) == (384, True)
    expected = build("sentence_transformers", dtype="float32").encode(texts)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_max_tokens_cuts_the_text(minilm: Path) -> None:
    short = build("sentence_transformers", dtype="float32", max_tokens=8)
    same = short.encode(["one two three four five six seven", "one two three four five six eight"])
    np.testing.assert_allclose(same[0], same[1], atol=1e-6)

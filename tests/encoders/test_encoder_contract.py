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

TEXTS = [
    "The item has the following attributes: name is Rose soap.",
    "Crème brûlée, 抹茶, 🍵",
    "",
    "nail polish " * 400,
    "OPI Nail Lacquer, Simmer and Shimmer, 0.5-Fluid Ounce",
    *[f"{'shampoo ' * k}and conditioner {k}" for k in range(20)],
]
# How far a vector may move with its company, by arithmetic.
TOLERANCE = {"float32": 1e-5, "bfloat16": 5e-3}


@cache
def build(kind: str, **keys: object) -> TextEncoder:
    section = TypeAdapter(EncoderSource).validate_python({"kind": kind, **keys})
    return ENCODERS.implementation(kind)(section, "cpu", 1)


LOCAL = [
    name
    for name in ENCODERS
    if issubclass(ENCODERS.get(name), TextEncoderSettings) and not issubclass(ENCODERS.get(name), Service)
]


@pytest.fixture(params=LOCAL)
def encoder(request: pytest.FixtureRequest, minilm: Path) -> TextEncoder:
    return build(request.param)


def test_shape_dtype_and_norm_are_as_declared(encoder: TextEncoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dim)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    if encoder.unit_norm:
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_same_texts_same_vectors_to_the_bit(encoder: TextEncoder) -> None:
    assert (encoder.encode(TEXTS) == encoder.encode(TEXTS)).all()


def test_neither_order_nor_company_matters(encoder: TextEncoder) -> None:
    tolerance = TOLERANCE[encoder.facts.get("dtype", "float32")]
    together = encoder.encode(TEXTS)
    shuffled = np.random.default_rng(0).permutation(len(TEXTS))
    again = encoder.encode([TEXTS[k] for k in shuffled])
    np.testing.assert_allclose(again, together[shuffled], atol=tolerance)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, together, atol=tolerance)


def test_nothing_to_encode(encoder: TextEncoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_progress_ends_at_all_texts(encoder: TextEncoder) -> None:
    heard: list[int] = []
    encoder.encode(TEXTS, heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == len(TEXTS)


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

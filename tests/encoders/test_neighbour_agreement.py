"""Overlap of neighbours against a plain double loop, and what int8 keeps of them on real titles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from grasp_bench.core.errors import GraspBenchError
from grasp_bench.encoders.precision import (
    Int8Linear,
    neighbour_overlap,
    quantise_linear_layers,
    sampled_overlap,
)
from grasp_bench.encoders.sentence_transformers import SentenceTransformersTextEncoder
from grasp_bench.encoders.sentence_transformers_settings import SentenceTransformers


def by_hand(first: np.ndarray, second: np.ndarray, count: int) -> float:
    def near(vectors: np.ndarray, row: int) -> set[int]:
        cosines = [
            float(vectors[row] @ other / np.linalg.norm(vectors[row]) / np.linalg.norm(other))
            for other in vectors
        ]
        others = sorted((k for k in range(len(vectors)) if k != row), key=lambda k: -cosines[k])
        return set(others[:count])

    return float(np.mean([len(near(first, k) & near(second, k)) / count for k in range(len(first))]))


@pytest.mark.parametrize("noise", [0.0, 0.3, 3.0])
def test_overlap_is_that_of_a_double_loop(noise: float) -> None:
    rng = np.random.default_rng(1)
    first = rng.normal(size=(60, 5))
    second = first + noise * rng.normal(size=first.shape)
    assert neighbour_overlap(first, second, 4) == pytest.approx(by_hand(first, second, 4))
    assert neighbour_overlap(first, first * rng.uniform(0.5, 2, (60, 1)), 4) == 1


def test_few_rows() -> None:
    rows = np.eye(3)
    assert neighbour_overlap(rows, rows[::-1].copy()) == 1  # both others are neighbours, whatever happens
    with pytest.raises(GraspBenchError, match="single text"):
        neighbour_overlap(rows[:1], rows[:1])
    assert sampled_overlap(["a", "a"], rows[:2], lambda texts: rows[: len(texts)]) == {}


def test_the_sample_depends_on_the_texts_alone() -> None:
    texts = [f"text {k}" for k in range(1500)]
    vectors = np.random.default_rng(0).normal(size=(1500, 4)).astype(np.float32)
    heard: list[list[str]] = []

    def encode(sample: object) -> np.ndarray:
        heard.append(list(sample))  # type: ignore[call-overload]
        return vectors[[int(text.split()[1]) for text in heard[-1]]]

    found = sampled_overlap(texts, vectors, encode)
    assert found["neighbour_overlap"] == {"with": "float32", "k": 10, "texts": 1000, "share": 1.0}
    assert sampled_overlap(texts[::-1], vectors[::-1], encode) == found
    assert heard[0] == heard[1]


@pytest.mark.parametrize("bias", [True, False])
def test_int8_layers_are_near_their_floats_row_by_row(bias: bool) -> None:
    torch.manual_seed(0)
    layer, x_BLI = nn.Linear(32, 48, bias=bias), torch.randn(3, 5, 32)
    x_BLI[0] *= 1000  # a loud row must not drown the others
    exact, rounded = layer(x_BLI), Int8Linear(layer)(x_BLI)
    assert rounded.shape == exact.shape
    error = (rounded - exact).norm(dim=-1) / exact.norm(dim=-1)
    assert error.max() < 0.02
    assert torch.equal(Int8Linear(layer)(x_BLI[1:2]), rounded[1:2])
    assert Int8Linear(layer)(torch.zeros(2, 32)).isfinite().all()
    assert Int8Linear(layer)(x_BLI.bfloat16()).dtype == torch.bfloat16


def test_every_linear_layer_is_replaced_and_counted() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 8)))
    assert quantise_linear_layers(model) == 2
    assert sum(isinstance(module, Int8Linear) for module in model.modules()) == 2
    assert not any(isinstance(module, nn.Linear) for module in model.modules())


def test_int8_on_real_titles_says_what_it_cost(minilm: Path, data_root: Path) -> None:
    named = pl.read_csv(data_root / "amazon-beauty" / "items.csv")["title"].drop_nulls()
    titles = sorted(set(named.to_list()))[:40]
    section = SentenceTransformers(dtype="int8", max_tokens=16)
    encoder = SentenceTransformersTextEncoder(section)
    assert encoder.facts["int8_layers"] == 37  # six layers of six, and the pooler
    vectors = encoder.encode(titles)
    found = encoder.findings(titles, vectors)["neighbour_overlap"]
    exact = SentenceTransformersTextEncoder(section.model_copy(update={"dtype": "float32"}))
    assert exact.findings(titles, vectors) == {}
    floats = exact.encode(titles)
    assert found["share"] == pytest.approx(by_hand(vectors, floats, 10), abs=1e-3)
    assert 0.8 < found["share"] < 1
    assert (vectors * floats).sum(axis=1).min() > 0.98


def test_int8_is_for_cpus() -> None:
    with pytest.raises(GraspBenchError, match="int8 runs on the CPU, not on cuda:0"):
        SentenceTransformersTextEncoder(SentenceTransformers(dtype="int8"), "cuda:0")

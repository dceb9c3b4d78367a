"""`tuning.space`: what its lists mean, and what is wrong with them, at their lines."""

from __future__ import annotations

from typing import Any

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.spec.loading import load_text
from grasp_bench.spec.tuning_space import Choice, Dimension, Range, dimension_of, space_of

HEAD = "name: x\ndataset: {source: demo}\nmodel: {enhancer: grasp}\n"


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("index.num_neighbours", [1, 50], Range(1, 50, whole=True)),
        ("index.num_neighbours", [1, 64, "log"], Range(1, 64, whole=True, log=True)),
        ("model.dropout", [0, 1], Range(0, 1, whole=False)),
        ("training.grad_clip", [1, 5], Range(1, 5, whole=False)),  # a number or null
        ("model.mlp_hidden", [8, 64], Range(8, 64, whole=True)),
        ("training.lr", [1e-4, 1e-2, "log"], Range(1e-4, 1e-2, whole=False, log=True)),
        ("model.embedding_dim", [16, 32, 64], Choice((16, 32, 64))),
        ("model.embedding_dim", [32, 64, "choice"], Choice((32, 64))),
        ("model.embedding_dim", [64], Choice((64,))),
        ("model.attention", ["softmax", "none"], Choice(("softmax", "none"))),
        ("model.self", [True, False], Choice((True, False))),
    ],
)
def test_lists_are_ranges_or_choices(key: str, values: list[Any], expected: Dimension) -> None:
    assert dimension_of(key, values) == expected


def test_a_space_keeps_its_order() -> None:
    text = "tuning: {space: {training.lr: [1e-4, 1e-2, log], model.embedding_dim: [16, 32, 64]}}"
    tuning = load_text(HEAD + text).experiment.tuning
    assert tuning is not None
    assert list(space_of(tuning)) == ["training.lr", "model.embedding_dim"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tuning: {space: {training.lr: [0, 1, log]}}", "4:32 tuning.space.training.lr: must be greater"),
        (
            "tuning: {space: {model.dropout: [0, 0.5, log]}}",
            "4:33 tuning.space.model.dropout: a log range must",
        ),
        (
            "tuning: {space: {model.heads: [1, 2, 4, log]}}",
            "4:31 tuning.space.model.heads: 'log' needs a range",
        ),
        ("tuning: {space: {model.heads: [1, 2, 1]}}", "4:31 tuning.space.model.heads: 1 repeats"),
        (
            "tuning: {space: {model.heads: [4, 2]}}",
            "4:31 tuning.space.model.heads: the range [4, 2] does not",
        ),
        (
            "tuning: {sampler: grid, space: {model.heads: [1, 4]}}",
            "4:46 tuning.space.model.heads: sampler grid needs a choice, and two numbers are a range",
        ),
        (
            "tuning: {space: {dataset.protocol.negatives: [10, 20]}}",
            "4:18 tuning.space.dataset.protocol.negatives: cannot be searched",
        ),
        (
            "tuning: {space: {training.monitor: [HR@10, HR@5]}}",
            "4:18 tuning.space.training.monitor: cannot be",
        ),
        ("tuning: {space: {seeds: [[1], [2], [3]]}}", "4:18 tuning.space.seeds: cannot vary"),
        (
            "compare: {model.heads: [1, 2]}\ntuning: {space: {model.heads: [1, 4]}}",
            "5:18 tuning.space.model.heads: is also compared",
        ),
        (
            "tuning: {pruner: medan, space: {model.heads: [1, 4]}}",
            "4:18 tuning.pruner: the text 'medan' is not",
        ),
    ],
)
def test_what_is_wrong_is_told_at_its_place(text: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_text(HEAD + text, "x.yaml")
    assert any(line.startswith(f"x.yaml:{expected}") for line in caught.value.problems), caught.value.problems

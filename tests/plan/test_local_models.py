"""What a plan says of texts that a model in this process writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_estimate import plan_of, took

from grasp_bench.core.machine import describe, has_bfloat16
from grasp_bench.core.store import Store
from grasp_bench.plan.estimate import Estimate, estimate
from grasp_bench.plan.local_models import LOADING, Asked, Speed, keep_probe
from grasp_bench.plan.nodes import Node

MODEL = {"provider": "litellm", "model": "local/smollm2", "concurrency": 32, "max_tokens": 100}
SPEED = Speed(read=0.01, write=0.05, rows=32.0, prompt=40.0, written=60.0, texts=600)


def node_of(role: str = "item_text", **keys: Any) -> Node:
    plan = plan_of(text={"items": MODEL | keys, "users": MODEL})
    return plan.cells[0].nodes[role]


def guess(store: Store, *nodes: Node, asked: dict[str, Asked] | None = None) -> Estimate:
    return estimate(plan_of(), nodes, store, 1, asked=asked)


def seconds(store: Store, node: Node, asked: Asked | None = None) -> float:
    return guess(store, node, asked=asked and {node.hash: asked}).node_seconds[node.hash]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_guess_counts_requests_tokens_and_texts_at_once(store: Store) -> None:
    node = node_of()
    one, two = (seconds(store, node, Asked(n, 60.0 * n)) - LOADING for n in (300, 600))
    assert two == pytest.approx(2 * one)
    assert seconds(store, node, Asked(600, 600 * 600.0)) > 1.5 * two  # prompts of ten times the length
    assert seconds(store, node_of(max_tokens=200), Asked(600, 36_000)) > 1.5 * two
    # One after the other takes about 4.5 times as long to write (benchmarks/results/local_texts.json).
    assert 3 < (seconds(store, node_of(concurrency=1), Asked(600, 600)) - LOADING) / two < 5


def test_memory_is_that_of_weights_and_cache(store: Store) -> None:
    node, width = node_of(), 2 if has_bfloat16() else 4
    work = guess(store, node, asked={node.hash: Asked(600, 600 * 60.0)}).local[node.hash]
    assert work.parts[0] == pytest.approx(134.5 * width, rel=0.01)
    assert work.parts[1] == pytest.approx(32 * (60 + 100 + 128) * 2 * 30 * 3 * 64 * width / 1e6)
    few = guess(store, node, asked={node.hash: Asked(2, 120.0)}).local[node.hash]
    assert few.parts[1] == pytest.approx(work.parts[1] / 16)
    assert guess(store, node).memory_mb > 450 + sum(work.parts)
    assert "a guess" in work.line()


def test_the_facts_of_a_run_tell_the_speed_of_the_next(store: Store) -> None:
    node = node_of()
    took(store, node, 1.0, speed=SPEED.__dict__)
    again = node_of(system="Be brief.")
    found = guess(store, again, asked={again.hash: Asked(100, 1.0)})
    # 40 tokens read and 60 written each, as the facts say; the plan's own count is of another tokenizer.
    assert found.node_seconds[again.hash] == pytest.approx(LOADING + 100 * (40 * 0.01 + 60 * 0.05))
    assert found.learned == 1
    assert "measured on this machine" in found.local[again.hash].line()
    users = node_of("user_text")
    # The other side's speed, for prompts of its own length.
    assert seconds(store, users, Asked(100, 100 * 500.0)) == pytest.approx(
        LOADING + 100 * (500 * 0.01 + 70 * 0.05)
    )


def test_an_encoder_of_hidden_states_counts_by_its_parameters(store: Store, tmp_path: Path) -> None:
    config = {"num_hidden_layers": 30, "hidden_size": 1152, "num_attention_heads": 9, "vocab_size": 49_152}
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_key_value_heads": 3}))

    def planned(model: str) -> tuple[float, float]:
        plan = plan_of(encoder={"kind": "causal_lm", "model": model})
        node = plan.cells[0].nodes["item_embeddings"]
        found = estimate(plan, [node], store, 1)
        return found.node_seconds[node.hash], found.memory_mb

    layer = 2 * 1152 * (1152 + 384) + 3 * 1152 * 4 * 1152
    parameters = (49_152 * 1152 + 30 * layer) / 1e6
    (small, little), (large, much) = planned("local/smollm2"), planned(str(tmp_path))
    assert 3 < large / small < 6  # twice as wide
    assert much - little == pytest.approx(4 * (parameters - 134.5), rel=0.01)


def test_another_machine_and_damaged_facts_tell_nothing(store: Store) -> None:
    node = node_of()
    before = seconds(store, node)
    took(store, node, 1.0, "1 × abacus, CPU", speed=SPEED.__dict__)
    other = node_of(system="Be brief.")
    took(store, other, 1.0, speed={**SPEED.__dict__, "read": "fast"})
    assert seconds(store, node) == before


def test_a_probe_tells_until_more_texts_do(store: Store) -> None:
    node = node_of()
    keep_probe(store, describe("cpu"), node, Speed(0.02, 0.1, 32.0, 40.0, 60.0, 10))
    keep_probe(store, "1 × abacus, CPU", node, SPEED)
    assert seconds(store, node, Asked(100)) == pytest.approx(LOADING + 100 * (40 * 0.02 + 60 * 0.1))
    took(store, node_of(system="Be brief."), 1.0, speed=SPEED.__dict__)
    assert seconds(store, node, Asked(100)) == pytest.approx(LOADING + 100 * (40 * 0.01 + 60 * 0.05))
    (store.root / "speeds.json").write_text("{")
    assert seconds(store, node, Asked(100)) == pytest.approx(LOADING + 100 * (40 * 0.01 + 60 * 0.05))

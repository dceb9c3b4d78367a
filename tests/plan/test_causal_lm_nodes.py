"""What decides vectors of a causal language model: its weights, its layers, and its training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grasp_bench.core.hashing import file_hash
from grasp_bench.plan.compile import compile_plan
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.experiment import Experiment

ADAPTED = {"kind": "causal_lm", "pooling": "bidirectional_mean", "adapt": {"steps": 5}}


def nodes(encoder: dict[str, Any], **sections: Any) -> dict[str, Node]:
    given = {"name": "t", "dataset": {"source": "demo"}, "controls": [], "model": {"enhancer": "llmesr"}}
    experiment = Experiment.model_validate({**given, "encoder": encoder, **sections})
    return dict(compile_plan(experiment, file_hash).cells[0].nodes)


def changed(patch: dict[str, Any]) -> set[str]:
    """The roles whose hash a patch of the encoder changes, up to the embeddings."""
    before, after = nodes(ADAPTED), nodes({**ADAPTED, **patch})
    return {
        role for role, node in after.items() if node.hash != before[role].hash and node.stage != "neighbours"
    } - {"train", "rank", "metrics"}


EMBEDDINGS = {"user_embeddings", "item_embeddings"}


@pytest.mark.parametrize(
    ("patch", "roles"),
    [
        ({"layers": 3}, EMBEDDINGS),
        ({"dtype": "float32"}, {"adaptation"} | EMBEDDINGS),
        ({"max_tokens": 64}, {"adaptation"} | EMBEDDINGS),
        ({"adapt": {"steps": 6}}, {"adaptation"} | EMBEDDINGS),
        ({"adapt": {"steps": 5, "seed": 1}}, {"adaptation"} | EMBEDDINGS),
        ({"batch_tokens": 4096}, set()),
    ],
)
def test_a_change_reaches_what_it_decides(patch: dict[str, Any], roles: set[str]) -> None:
    assert changed(patch) == roles


def test_the_training_reads_the_texts_of_both_sides_and_comes_before_the_embeddings() -> None:
    found = nodes(ADAPTED, model={"enhancer": "llminit"})  # reads vectors of items alone
    assert list(found)[2:6] == ["user_text", "item_text", "adaptation", "item_embeddings"]
    assert found["adaptation"].inputs == {role: found[role] for role in ("user_text", "item_text")}
    assert found["item_embeddings"].inputs["adaptation"] == found["adaptation"]
    assert "adapt" not in found["item_embeddings"].settings["encoder"]
    assert "adaptation" not in nodes({"kind": "causal_lm"})


def test_texts_of_others_are_no_other_texts_to_learn_from() -> None:
    noise = {"target": "text", "rates": [0.5], "side": "items"}
    noisy, clean = nodes(ADAPTED, noise=noise), nodes(ADAPTED)
    assert noisy["item_text"].stage == "text_noise"
    assert noisy["adaptation"] == clean["adaptation"]
    assert noisy["item_embeddings"] != clean["item_embeddings"]


def test_weights_on_this_machine_count_by_content(tmp_path: Path) -> None:
    for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / f"{name}.gguf").write_bytes(content)
    first, moved, other = (
        nodes({**ADAPTED, "model": f"local/{tmp_path}/{name}.gguf"}) for name in ("a", "b", "c")
    )
    for role in ("adaptation", "item_embeddings"):
        assert first[role] == moved[role] != other[role]
        assert first[role].settings["files"] == [file_hash(tmp_path / "a.gguf")]
        assert first[role].located()["encoder"]["model"] == f"local/{tmp_path}/a.gguf"
    assert "files" not in nodes(ADAPTED)["item_embeddings"].settings

"""`training.loss` and `training.optimizer`: how they are written, and what names a training."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from grasp_bench.core.errors import SpecError
from grasp_bench.spec.loading import load_text
from grasp_bench.spec.training import LATER_KEYS, Training

SPEC = "name: t\ndataset: {source: demo}\n"


def test_a_training_at_its_defaults_is_named_as_before_there_were_losses() -> None:
    assert not set(LATER_KEYS) & set(Training().effective())
    assert Training(loss="bce").effective() == Training().effective()
    assert Training(loss={"kind": "bce", "calibration": 0.1}).effective() == Training().effective()
    assert Training(loss={"kind": "bce", "negatives": 4}).effective()["loss"] == {
        "kind": "bce", "negatives": 4, "sampling": "uniform",
    }  # fmt: skip


def test_a_word_stands_for_a_loss_and_can_be_compared() -> None:
    found = load_text(
        SPEC + "compare: {training.loss: [bce, softmax, {kind: sampled_softmax, log_q: false}]}\n",
        "t.yaml",
        (),
    )
    assert len(found.experiment.compare["training.loss"]) == 3
    assert Training(loss="sampled_softmax").loss.count == 256
    assert Training(loss={"kind": "softmax", "negatives": 5}).loss.count == 0


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("{loss: sofmax}", "sofmax"),
        ("{loss: {kind: bce, sampling: popularity}}", "needs several negatives"),
        ("{loss: softmax, optimizer: sparse_adam}", "softmax uses every item"),
        ("{loss: gbce, optimizer: sparse_adam, weight_decay: 0.1}", "neither weight_decay nor grad_clip"),
    ],
)
def test_what_does_not_go_together_is_refused(given: str, problem: str) -> None:
    with pytest.raises((SpecError, ValidationError)) as caught:
        load_text(SPEC + f"training: {given}\n", "t.yaml", ())
    assert problem in str(caught.value)

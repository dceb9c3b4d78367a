"""A cached training of edited source is told, and kept where nothing of its source has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grasp_bench import api
from grasp_bench.core import hashing
from grasp_bench.core.integrity import SIDECAR
from grasp_bench.core.plugins import source_version
from grasp_bench.plan import source
from grasp_bench.plan.source import LOOP, PARTS, source_of

SPEC = """
name: small
dataset: {source: demo, sample_users: 100}
model: {backbone: sasrec, embedding_dim: 8, max_len: 10}
training: {max_epochs: 1}
seeds: [1]
controls: []
"""


def test_it_is_of_the_models_and_the_loop_and_of_nothing_else() -> None:
    assert source_of("sasrec", "none") != source_of("sasrec", "grasp")
    assert source_of("sasrec", "none") != source_of("gru4rec", "none")
    assert source_version(LOOP, PARTS) != source_version(LOOP)  # without core and spec


def test_a_training_of_other_source_is_told_by_plan_and_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SPEC)
    loaded = api.load("small.yaml")
    whole = api.plan(loaded)
    assert api.run(loaded, whole, executor="in_process").warnings == ()
    assert api.run(loaded, whole, executor="in_process").warnings == ()

    (sidecar,) = Path(".grasp_bench/train").glob(f"*/{SIDECAR}")
    content = hashing.without_checksum(json.loads(sidecar.read_text()))
    content["facts"]["source"] = "that of yesterday"
    hashing.write(sidecar, content)
    (told,) = api.run(loaded, whole, executor="in_process").warnings
    assert told.startswith("one cached training was made by other source of grasp_bench.models and ")
    assert told.endswith(f"to train anew, delete {sidecar.parent}")

    monkeypatch.setattr(source, "is_editable", lambda: False)  # a release: its stage versions decide
    assert api.run(loaded, whole, executor="in_process").warnings == ()

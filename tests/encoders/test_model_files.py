"""Finding a model, telling which path runs it, and the arithmetic a machine has."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from grasp_bench.core import machine
from grasp_bench.core.errors import DataError, GraspBenchError, MissingFileError, StoreError
from grasp_bench.encoders import precision, pretrained
from grasp_bench.encoders.pretrained import MeanPooledTransformer, is_mean_pooled


def test_minilm_has_the_published_weights(minilm: Path) -> None:
    assert pretrained.weights_digest(minilm).startswith("53aa5117")
    assert is_mean_pooled(minilm)
    assert pretrained.locate_model(str(minilm)) == minilm


def test_absent_models_say_what_to_do() -> None:
    with pytest.raises(MissingFileError, match="no such folder"):
        pretrained.locate_model("./models/gone")
    with pytest.raises(MissingFileError, match="neither a folder nor a name"):
        pretrained.locate_model("what is this?")
    with pytest.raises(GraspBenchError, match="not on this machine") as caught:
        pretrained.locate_model("nobody/nothing-of-this-name")
    assert "name a folder" in str(caught.value.hint)


def test_foreign_weights_in_the_package_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(pretrained.MINILM_PACKAGE)
    monkeypatch.setattr(pretrained, "MINILM_SHA256", "0" * 64)
    with pytest.raises(StoreError, match="not those of"):
        pretrained._packaged(pretrained.MINILM)


def test_only_plain_mean_pooling_takes_the_cheap_path(minilm: Path, tmp_path: Path) -> None:
    for name in ("modules.json", "tokenizer.json", "config.json"):
        shutil.copy(minilm / name, tmp_path)
    pooling = tmp_path / "1_Pooling" / "config.json"
    pooling.parent.mkdir()
    cases = [
        ({"pooling_mode_mean_tokens": True}, True),
        ({"pooling_mode": "mean"}, True),
        ({"pooling_mode": "cls"}, False),
        ({"pooling_mode_cls_token": True}, False),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, False),
    ]
    for config, cheap in cases:
        pooling.write_text(json.dumps(config))
        assert is_mean_pooled(tmp_path) is cheap
    (tmp_path / "modules.json").write_text("[]")
    assert not is_mean_pooled(tmp_path)
    (tmp_path / "modules.json").write_text("[")
    with pytest.raises(DataError, match="damaged JSON"):
        is_mean_pooled(tmp_path)


def test_damaged_weights_are_named(minilm: Path, tmp_path: Path) -> None:
    shutil.copytree(minilm, tmp_path / "m", ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(DataError, match="cannot be loaded"):
        MeanPooledTransformer(tmp_path / "m", 256, "cpu")


def test_auto_is_bfloat16_only_where_it_is_native(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "CPUINFO", info)
    assert precision.resolve_dtype("auto", "cpu") == "float32"
    info.write_text("flags\t: fpu avx512f avx512_bf16x\n")
    assert precision.resolve_dtype("auto", "cpu") == "float32"
    info.write_text("flags\t: fpu avx512_bf16 vnni\n")
    assert precision.resolve_dtype("auto", "cpu") == "bfloat16"
    assert precision.resolve_dtype("float32", "cuda:0") == "float32"
    assert precision.resolve_dtype("auto", "cuda:0") == "bfloat16"
    assert precision.resolve_dtype("auto", "mps") == "float32"

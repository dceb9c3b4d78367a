from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from grasp_bench.core import atomic


def test_content_and_missing_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    atomic.write_json(path, {"b": "é", "a": 1})
    assert json.loads(path.read_text()) == {"b": "é", "a": 1}
    assert list(json.loads(path.read_text())) == ["b", "a"]
    atomic.write_text(path, "né")
    assert path.read_bytes() == "né".encode()
    assert os.listdir(path.parent) == ["a.json"]


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path, value: object) -> None:
    path = tmp_path / "a.json"
    atomic.write_json(path, 1)
    with pytest.raises((ValueError, TypeError)):
        atomic.write_json(path, value)
    assert path.read_text() == "1\n"


def test_a_failure_while_writing_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    atomic.write_text(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        atomic.write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_data_is_on_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda one, other: (order.append("rename"), replace(one, other))[1])
    atomic.write_text(tmp_path / "a.txt", "x")
    assert order == ["fsync", "rename", "fsync"]

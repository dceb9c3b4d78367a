"""What the machine has, asked without torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from run_fakes import fake_plan

from grasp_bench.core import machine
from grasp_bench.core.errors import GraspBenchError
from grasp_bench.engine.run import worker_devices


def test_cores_and_description(cores_of_the_machine: Callable[[], int]) -> None:
    assert cores_of_the_machine() >= 1
    assert machine.describe("cpu").endswith(", CPU")


def fake_gpus(monkeypatch: pytest.MonkeyPatch, folder: Path, count: int) -> None:
    for index in range(count):
        (folder / f"0000:0{index}").mkdir()
        (folder / f"0000:0{index}" / "information").write_text("Model: \t\t NVIDIA H200\nIRQ: 1\n")
    monkeypatch.setattr(machine, "NVIDIA", folder)
    monkeypatch.setattr(machine, "_torch_has_cuda", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_gpus_are_shared_out_in_turn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_gpus(monkeypatch, tmp_path, 2)
    plan = fake_plan()  # three cells
    assert worker_devices(plan, "auto", None) == ("cuda:0", "cuda:1")
    assert worker_devices(plan, "cuda", 3) == ("cuda:0", "cuda:1", "cuda:0")
    assert worker_devices(plan, "cpu", 1) == ("cpu",)
    assert machine.describe("cuda:1").endswith("NVIDIA H200")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert machine.gpus() == ["cuda:0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.gpus() == []


def test_asking_for_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "NVIDIA", tmp_path / "none")
    assert machine.devices("auto") == ["cpu"]
    with pytest.raises(GraspBenchError, match="no NVIDIA GPU"):
        machine.devices("cuda")


def test_no_more_workers_than_cells_or_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 64)
    assert len(worker_devices(fake_plan(), "cpu", None)) == 3
    monkeypatch.setattr(machine, "cores", lambda: 2)
    assert len(worker_devices(fake_plan(), "cpu", None)) == 2
    assert len(worker_devices(fake_plan(), "cpu", 5)) == 5

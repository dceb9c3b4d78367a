"""`grasp-bench store` on the store of a real run: counts, damage that is found, and what may go."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grasp_bench import api
from grasp_bench.cli.app import app
from grasp_bench.core.store import Store

SPEC = """
name: small
dataset: {{source: demo, sample_users: 200}}
model: {{backbone: sasrec, embedding_dim: {width}, max_len: 10}}
training: {{max_epochs: 1}}
seeds: [1]
controls: [popularity]
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two specs that have been run."""
    folder = tmp_path_factory.mktemp("store")
    with contextlib.chdir(folder):
        for width in (8, 4):
            path = folder / f"w{width}.yaml"
            path.write_text(SPEC.format(width=width))
            loaded = api.load(path)
            api.run(loaded, api.plan(loaded), executor="in_process")
    return folder


@pytest.fixture
def ran(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, to be changed."""
    folder = Path(shutil.copytree(whole, tmp_path / "copy"))
    monkeypatch.chdir(folder)
    return folder


def call(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["store", *words])
    return result.exit_code, result.output


def test_counts_verifies_and_deletes_what_no_spec_needs(ran: Path) -> None:
    store = Store(Path(".grasp_bench"))
    code, said = call("du")
    assert code == 0
    assert ["train", "2", "0", "0"] in [line.split()[:4] for line in said.splitlines()]
    assert call("verify") == (0, ".grasp_bench: 10 artefacts are whole\n")

    code, said = call("gc", "w8.yaml")
    assert code == 0
    assert said.count(" MB  ") == 3  # training, ranks and metrics of the other spec
    assert "that w8.yaml does not need" in said
    assert len(list(store.artefacts("train"))) == 2
    assert call("gc", "w8.yaml", "w4.yaml")[1].startswith(
        "0.0 MB in artefacts that these 2 specs do not need"
    )
    assert "MB freed" in call("gc", "w8.yaml", "--delete")[1]
    assert [len(list(store.artefacts(stage))) for stage in ("train", "rank", "control")] == [1, 1, 1]
    loaded = api.load("w8.yaml")
    assert api.forecast(loaded, api.plan(loaded)).status.to_run == ()


def test_damage_is_found_and_set_aside(ran: Path) -> None:
    (file,) = Path(".grasp_bench/candidates").glob("*/test.safetensors")
    data = bytearray(file.read_bytes())
    data[-900:] = bytes(900)
    file.write_bytes(bytes(data))
    code, said = call("verify")
    assert code == 1
    assert "test.safetensors: damaged (other bytes than were written)" in said
    assert ["candidates", "0", "0", "1"] in [line.split()[:4] for line in call("du")[1].splitlines()]
    assert call("gc", "w8.yaml", "w4.yaml", "--delete")[1].endswith("MB freed\n")
    assert not Store(Path(".grasp_bench")).set_aside()


def test_no_store_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["store", "du"])
    assert result.exit_code
    assert "no store here" in result.output

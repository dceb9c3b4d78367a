"""`results/<spec>/<slug>`: whole or absent, and never two cells' files together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fake_study import Fakes
from run_fakes import fake_plan

from grasp_bench.core.errors import StoreError
from grasp_bench.core.store import Store
from grasp_bench.engine.publish import identity, is_published, publish, stale_folders

SLUG = "sasrec-grasp-s42"


def test_missing_and_damaged_results_are_published_again_from_the_store(fakes: Fakes) -> None:
    fakes.run("in_process")
    before = len(fakes.runs())
    folder = fakes.results / "fakes" / SLUG
    (folder / "cell.json").write_text("{half")
    (fakes.results / "fakes" / "sasrec-none-s42" / "ranks.parquet").unlink()
    fakes.run("in_process")
    assert len(fakes.runs()) == before
    assert json.loads((folder / "cell.json").read_text())["slug"] == SLUG
    assert (fakes.results / "fakes" / "sasrec-none-s42" / "ranks.parquet").exists()


def test_another_hash_is_not_this_cell(fakes: Fakes) -> None:
    fakes.run("in_process")
    cell = next(cell for cell in fake_plan().cells if cell.slug == SLUG)
    folder = fakes.results / "fakes" / SLUG
    assert is_published(cell, folder)
    content = json.loads((folder / "cell.json").read_text())
    (folder / "cell.json").write_text(json.dumps(content | {"hash": "0" * 16}))
    assert not is_published(cell, folder)
    assert publish(cell, "fakes", Store(fakes.store), fakes.results)
    assert is_published(cell, folder)
    assert not publish(cell, "fakes", Store(fakes.store), fakes.results)


def test_cleared_checkpoints_leave_blanks_and_run_nothing(fakes: Fakes) -> None:
    fakes.run("in_process")
    cell = fake_plan().cells[0]
    shutil.rmtree(fakes.store / "train" / cell.nodes["train"].hash)
    (fakes.results / "fakes" / cell.slug / "cell.json").unlink()
    before = len(fakes.runs())
    fakes.run("in_process")
    assert len(fakes.runs()) == before
    found = json.loads((fakes.results / "fakes" / cell.slug / "cell.json").read_text())
    assert found["train"] == {"epochs": None, "best_epoch": None, "seconds": None}


def test_identity_is_the_beginning_of_what_is_published(fakes: Fakes) -> None:
    fakes.run("in_process")
    for cell in fake_plan().cells:
        found = json.loads((fakes.results / "fakes" / cell.slug / "cell.json").read_text())
        assert identity(cell).items() <= found.items()


def test_folders_of_earlier_specs_are_named(tmp_path: Path) -> None:
    for slug in ("old", "new"):
        (tmp_path / "s" / slug).mkdir(parents=True)
        (tmp_path / "s" / slug / "cell.json").write_text("{}")
    (tmp_path / "s" / "no_cell").mkdir()
    assert [path.name for path in stale_folders(tmp_path, "s", {"new"})] == ["old"]


def test_results_that_cannot_be_written_stop_before_anything_runs(fakes: Fakes) -> None:
    fakes.results.write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="results"):
        fakes.run("in_process")
    assert fakes.runs() == []

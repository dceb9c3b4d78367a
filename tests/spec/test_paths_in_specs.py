"""Paths of a spec are checked where they are written, whatever names them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from grasp_bench.core.errors import DataError, MissingFileError, SpecError
from grasp_bench.plan.compile import compile_plan
from grasp_bench.plan.fingerprints import MOST_FILES, Fingerprints
from grasp_bench.spec.loading import load, load_text
from grasp_bench.spec.locations import at_its_place, locate

SOURCE = "name: x\ndataset: {source: demo}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.csv")
    os.mkfifo("pipe.j2")
    Path("folder.csv").mkdir()
    Path("folder.j2").mkdir()
    Path("file").write_text("x")
    return tmp_path


def problems_of(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_text(text, "x.yaml")
    return caught.value.problems


# PATH stands in the third line of each.
KEYS = {
    "dataset.source": "name: x\ndataset:\n  source: PATH\n",
    "dataset.items": "name: x\ndataset: {source: file.csv, items: \n  PATH}\n",
    "dataset.users": "name: x\ndataset: {source: file.csv, users: \n  PATH}\n",
    "text.users.template": SOURCE + "text: {users: {provider: template, template: PATH}}\n",
    "text.items.path": SOURCE + "text: {items: {provider: precomputed, path: PATH}}\n",
    "encoder.users": SOURCE + "encoder: {kind: precomputed, items: file.npy, users: PATH}\n",
    "encoder.model": SOURCE + "encoder: {kind: sentence_transformers, model: PATH}\n",
    "imported[0].run": SOURCE + "imported: [{name: theirs, format: csv, run: PATH}]\n",
    "published.file": SOURCE + "published: {dataset: B, file: PATH}\n",
    "compare.text.items.path[0]": SOURCE + "compare: {text.items.path: [PATH]}\n",
    "compare.text.users[0].template": SOURCE
    + "compare: {text.users: [{provider: template, template: PATH}]}\n",
    "ablations.a.dataset.source": SOURCE + "ablations: {a: {dataset.source: PATH}}\n",
    "tuning.space.text.items.template[0]": SOURCE + "tuning: {space: {text.items.template: [PATH, item]}}\n",
}


def _at(text: str, key: str) -> list[str]:
    return [line for line in problems_of(text) if f" {key}: " in line and line.startswith("x.yaml:3:")]


@pytest.mark.parametrize("key", KEYS)
def test_characters_that_no_path_has(key: str) -> None:
    form = KEYS[key]
    assert _at(form.replace("PATH", '"a\\0.j2"'), key)[0].endswith(
        "character U+0000 is not allowed; leave it out"
    )
    expected = "holds the character U+000A, which no file name needs; correct the path"
    assert any(line.endswith(expected) for line in _at(form.replace("PATH", '"a\\n.j2"'), key))


@pytest.mark.parametrize("key", [key for key in KEYS if not key.startswith("tuning")])
def test_pipes_and_devices_are_refused_by_name(key: str) -> None:
    name = "pipe.j2" if key.endswith("template") else "pipe.csv"
    assert any(
        f"the text '{name}' names a named pipe; name a f" in line
        for line in _at(KEYS[key].replace("PATH", name), key)
    )
    if not key.endswith("template"):
        assert any(
            "the text '/dev/zero' names a device; name a f" in line
            for line in _at(KEYS[key].replace("PATH", "/dev/zero"), key)
        )


def test_a_folder_where_a_file_is_wanted_and_the_reverse() -> None:
    assert (
        "names a folder; name a file"
        in _at(KEYS["text.users.template"].replace("PATH", "folder.j2"), "text.users.template")[0]
    )
    assert (
        "names a file; name a folder"
        in _at(KEYS["encoder.model"].replace("PATH", "file"), "encoder.model")[0]
    )


@pytest.mark.parametrize("name", ["none.csv", "item", "sentence-transformers/all-MiniLM-L6-v2"])
def test_what_is_not_there_is_no_fault_of_the_spec(name: str) -> None:
    for key in ("dataset.source", "text.items.path", "encoder.model"):
        load_text(KEYS[key].replace("PATH", name))


def test_includes_and_published_files_may_be_no_pipes() -> None:
    os.mkfifo("base.yaml")
    Path("circle.yaml").symlink_to("circle.yaml")
    for name, said in (
        ("base.yaml", "names a named pipe"),
        ("circle.yaml", "names out of reach"),
        ('"a\\n"', "U+000A"),
    ):
        Path("top.yaml").write_text(f"include: {name}\n{SOURCE}")
        with pytest.raises(SpecError, match=rf"top\.yaml:1:10 include: .*{re.escape(said)}"):
            load(Path("top.yaml"))


def test_included_files_share_one_size() -> None:
    for name in ("a", "b"):
        Path(f"{name}.yaml").write_text("#" * 600_000)
    Path("top.yaml").write_text(f"include: [a.yaml, b.yaml]\n{SOURCE}")
    with pytest.raises(
        SpecError, match=r"top\.yaml:1:19 include: the files are larger than 1024 KiB together"
    ):
        load(Path("top.yaml"))


def test_whoever_asks_for_a_dataset_gets_a_file() -> None:
    experiment = load_text(SOURCE).experiment
    with pytest.raises(MissingFileError, match=r"pipe\.csv: is a named pipe, not a file"):
        locate(experiment.dataset.model_copy(update={"source": "pipe.csv"}))
    with pytest.raises(MissingFileError, match=r"pipe\.csv: is a named pipe, not a file"):
        Fingerprints()(Path("pipe.csv"))


def test_a_folder_of_more_files_than_a_model_has() -> None:
    Path("many").mkdir()
    for k in range(MOST_FILES + 1):
        Path(f"many/{k}").touch()
    with pytest.raises(DataError, match="many: holds more than 1,000 files"):
        Fingerprints()(Path("many"))


def test_what_compiling_misses_is_told_at_its_place() -> None:
    Path("x.yaml").write_text("name: x\ndataset:\n  source: none.csv\n")
    loaded = load(Path("x.yaml"))
    with pytest.raises(MissingFileError) as caught, at_its_place(loaded.tree):
        compile_plan(loaded.experiment, Fingerprints())
    assert caught.value.message == "x.yaml:3:11 dataset.source 'none.csv': not found"


def test_what_compiling_refuses_is_told_at_its_place() -> None:
    text = SOURCE + "compare: {dataset.protocol.negatives: [5, 6]}\nimported: [{name: theirs, run: a.csv}]\n"
    loaded = load_text(text, "x.yaml")
    with pytest.raises(SpecError) as caught, at_its_place(loaded.tree):
        compile_plan(loaded.experiment, str)
    (problem,) = caught.value.problems
    assert problem.startswith("x.yaml:4:12 imported[0] (theirs): it belongs to one dataset")

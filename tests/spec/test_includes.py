"""`include:` — merging, places, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.spec.loading import load


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "specs").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "specs"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return Path("specs/top.yaml")


def problems_of(path: Path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(path)
    return caught.value.problems


def test_the_including_file_wins_and_places_are_kept(folder: Path) -> None:
    path = write(
        folder,
        base="dataset: {source: demo, min_user: 5}\nmodel: {heads: 2, layers: 3}\n",
        top="include: base.yaml\nname: x\nmodel:\n  heads: 4\n",
    )
    loaded = load(path)
    model = loaded.experiment.model
    assert (model.heads, model.layers) == (4, 3)
    assert loaded.sources["model.heads"] == "specs/top.yaml:4:10"
    assert loaded.sources["model.layers"] == "include specs/base.yaml:2:27"
    assert loaded.sources["dataset.source"] == "include specs/base.yaml:1:19"
    assert loaded.sources["model.max_len"] == "default"
    assert loaded.values == {
        "name": "x",
        "dataset": {"source": "demo", "min_user": 5},
        "model": {"heads": 4, "layers": 3},
    }


def test_later_files_of_a_list_win_and_includes_nest(folder: Path) -> None:
    path = write(
        folder,
        deep="training: {lr: 0.1, patience: 7}\nseeds: [1]",
        one="include: deep.yaml\nname: x\ndataset: {source: demo}\ntraining: {lr: 0.2}\n",
        two="training: {lr: 0.3}\n",
        top="include: [one.yaml, two.yaml]\n",
    )
    experiment = load(path).experiment
    assert experiment.training.lr == 0.3
    assert experiment.training.patience == 7
    assert experiment.seeds == (1,)


def test_the_same_file_twice_is_no_cycle(folder: Path) -> None:
    path = write(
        folder,
        base="name: x\ndataset: {source: demo}\n",
        one="include: base.yaml\n",
        two="include: base.yaml\n",
        top="include: [one.yaml, two.yaml]\n",
    )
    assert load(path).experiment.name == "x"


def test_another_variant_replaces_the_included_one(folder: Path) -> None:
    path = write(
        folder,
        base="name: x\ndataset: {source: demo}\nencoder: {kind: sentence_transformers, model: m}\n",
        top="include: base.yaml\nencoder: {kind: precomputed, users: u.npy, items: i.npy}\n",
    )
    assert load(path).experiment.encoder.kind == "precomputed"
    write(folder, top="include: base.yaml\nencoder: {dtype: bfloat16}\n")
    encoder = load(path).experiment.encoder
    assert encoder.kind == "sentence_transformers"
    assert (encoder.model, encoder.dtype) == ("m", "bfloat16")


def test_problems_come_file_by_file(folder: Path) -> None:
    path = write(
        folder,
        base="name: x\nmodel: {hedas: 1}\ntraining: {lr: 0}\n",
        top="include: base.yaml\ndataset: {sourc: demo}\n",
    )
    assert problems_of(path) == [
        "specs/top.yaml:2:1 dataset.source: required key is missing",
        "specs/top.yaml:2:11 dataset.sourc: unknown key; did you mean 'source'?",
        "specs/base.yaml:2:9 model.hedas: unknown key; did you mean 'heads'?",
        "specs/base.yaml:3:16 training.lr: must be greater than 0, got 0",
    ]


def test_folders_below_may_be_included_and_are_relative_to_themselves(folder: Path) -> None:
    (folder / "parts").mkdir()
    (folder / "parts" / "a.yaml").write_text("include: b.yaml\nname: x\n")
    (folder / "parts" / "b.yaml").write_text("dataset: {source: demo, min_user: 4}\n")
    loaded = load(write(folder, top="include: parts/a.yaml\n"))
    assert loaded.sources["dataset.min_user"] == "include specs/parts/b.yaml:1:35"


@pytest.mark.parametrize(
    "target", ["../outside.yaml", "/etc/passwd", "link.yaml", "parts/../../outside.yaml"]
)
def test_paths_do_not_leave_the_folder(folder: Path, target: str) -> None:
    (folder.parent / "outside.yaml").write_text("name: secret\n")
    (folder / "link.yaml").symlink_to(folder.parent / "outside.yaml")
    path = write(folder, top=f"include: {target}\nname: x\n")
    assert problems_of(path) == [
        f"specs/top.yaml:1:10 include: '{target}' lies outside the folder of the spec"
    ]


def test_cycles_are_named_where_they_close(folder: Path) -> None:
    path = write(folder, a="include: b.yaml", b="include: a.yaml", top="include: a.yaml\nname: x\n")
    assert problems_of(path) == ["specs/b.yaml:1:10 include: 'a.yaml' includes itself"]
    path = write(folder, top="include: top.yaml\n")
    assert problems_of(path) == ["specs/top.yaml:1:10 include: 'top.yaml' includes itself"]


def test_doubling_includes_are_cut_short(folder: Path) -> None:
    files = {f"f{n}": f"include: [f{n + 1}.yaml, f{n + 1}.yaml]" for n in range(30)}
    path = write(folder, **files, f30="name: x", top="include: f0.yaml")
    assert any("more than 64 files are included" in line for line in problems_of(path))


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("bsae.yaml", "no file 'bsae.yaml'; did you mean 'base.yaml'?"),
        ("[3]", "expected a file name, got 3"),
        ("{a: b}", "expected a file name, got a mapping"),
        ("", "expected a file name, got nothing"),
        (".", "'.' names a folder; name a file"),
    ],
)
def test_what_is_no_file(folder: Path, include: str, expected: str) -> None:
    path = write(folder, base="name: x", top=f"include: {include}\nname: x\n")
    (problem,) = problems_of(path)
    assert problem.endswith(f" include: {expected}")


def test_an_unreadable_part_does_not_make_its_keys_missing(folder: Path) -> None:
    path = write(folder, base="name: [\n", top="include: base.yaml\nmodel: {hedas: 1}\n")
    first, second = problems_of(path)
    assert first == "specs/top.yaml:2:9 model.hedas: unknown key; did you mean 'heads'?"
    assert second.startswith("specs/base.yaml:2:1: not valid YAML")

"""Where a dataset's files are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from grasp_bench.core.errors import DataError, GraspBenchError, MissingFileError
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.locations import DatasetFiles, locate


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "root"
    for name in ("amazon-beauty", "other"):
        (root / name).mkdir(parents=True)
        (root / name / "interactions.csv").touch()
    (root / "amazon-beauty" / "items.jsonl.gz").touch()
    monkeypatch.setenv("GRASP_BENCH_DATA", str(root))
    monkeypatch.chdir(tmp_path)
    return root


def find(source: str, items: str | None = None) -> DatasetFiles:
    return locate(Dataset(source=source, items=items))


def refusal(source: str, items: str | None = None) -> GraspBenchError:
    with pytest.raises((MissingFileError, DataError)) as caught:
        find(source, items)
    return caught.value


def test_demo_has_no_files() -> None:
    assert find("demo") == DatasetFiles("demo", None, None, True)
    assert "generated" in refusal("demo", "items.csv").message


def test_a_name_is_a_folder_under_the_root(root: Path) -> None:
    folder = root / "amazon-beauty"
    expected = DatasetFiles("amazon-beauty", folder / "interactions.csv", folder / "items.jsonl.gz", False)
    assert find("amazon-beauty") == expected
    assert find("other").items is None


def test_folders_and_files_by_path(root: Path) -> None:
    folder = root / "amazon-beauty"
    assert find(str(folder)).name == "amazon-beauty"
    by_file = find(str(folder / "interactions.csv"))
    assert (by_file.name, by_file.items) == ("amazon-beauty", folder / "items.jsonl.gz")
    clicks = root / "other" / "clicks.parquet"
    clicks.touch()
    assert find("root/other/clicks.parquet").name == "clicks"
    assert find(str(clicks), str(folder / "items.jsonl.gz")).items == folder / "items.jsonl.gz"


def test_the_working_directory_comes_second(root: Path) -> None:
    here = root.parent / "mine"
    here.mkdir()
    (here / "interactions.parquet").touch()
    assert find("mine").interactions == Path("mine/interactions.parquet")
    assert find("mine").name == "mine"


def test_missing_data_says_how_to_get_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = refusal("amazon-beaty")
    assert isinstance(error, MissingFileError)
    assert "did you mean 'amazon-beauty'?" in error.message
    assert error.hint is not None
    assert str(root) in error.hint
    assert "interactions.csv" in error.hint
    assert len(error.hint.splitlines()) < 20
    monkeypatch.delenv("GRASP_BENCH_DATA")
    assert "not set" in str(refusal("amazon-beauty"))


def test_unclear_folders_and_names_are_refused(root: Path) -> None:
    (root / "other" / "interactions.jsonl").touch()
    assert "both interactions.csv and interactions.jsonl" in refusal("other").message
    (root / "empty").mkdir()
    assert "no interactions file" in refusal("empty").message
    (root / "data.xlsx").touch()
    assert "cannot tell the format" in refusal(str(root / "data.xlsx")).message
    assert "no such file" in refusal("amazon-beauty", "none.csv").message

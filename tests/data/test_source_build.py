"""A dataset from raw files: gathered, made, recorded, and never over somebody's work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from raw_files import Review, latest_small, review_2014, review_2018, write_json, write_literals, write_zip
from raw_server import Manners, serving

from grasp_bench.core.errors import DataError, DownloadError, MissingFileError, UnknownNameError
from grasp_bench.core.hashing import sha256_of
from grasp_bench.data.sources import rules
from grasp_bench.data.sources.build import BUILDERS, BuildResult, build, build_if_absent
from grasp_bench.data.sources.raw_files import Sources
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.public_sets import PUBLIC_SETS

FASHION = [(f"A{user}", f"B{item}", 5.0, 100 * item) for user in (2, 1, 3) for item in (3, 1, 2)]
NOISE = [("A9", "B1", 5.0, 1), ("A1", "B7", 5.0, 2), ("A1", "B1", 0.0, 3)]
PRODUCTS = [{"asin": f"B{item}", "title": f"Thing {item}", "price": "$5.00"} for item in (1, 2, 7)]
FILES = ("AMAZON_FASHION.json.gz", "meta_AMAZON_FASHION.json.gz")


@pytest.fixture(autouse=True)
def small_sieve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "SLOTS", 1 << 12)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder with Fashion's two files."""
    folder = tmp_path / "mine"
    folder.mkdir()
    write_json(folder / FILES[0], map(review_2018, [*NOISE, *FASHION]))
    write_json(folder / FILES[1], PRODUCTS)
    return folder


@pytest.fixture
def manners(raw: Path) -> Manners:
    return Manners(files={f"/{name}": (raw / name).read_bytes() for name in FILES})


@pytest.fixture
def mirror(manners: Manners) -> Iterator[str]:
    with serving(manners) as url:
        yield url


def fashion(root: Path, **sources: Any) -> BuildResult:
    return build("amazon-fashion", root, Sources(**sources))


def test_the_tables(raw: Path, tmp_path: Path) -> None:
    folder = fashion(tmp_path / "data", given=(raw,)).folder
    found = pl.read_csv(folder / "interactions.csv")
    assert found.columns == ["user_id", "item_id", "rating", "timestamp"]
    # A1 wrote a noise review before A2 wrote anything: the order of users is the file's, before filtering.
    assert found["user_id"].to_list() == ["A1"] * 3 + ["A2"] * 3 + ["A3"] * 3
    assert found["item_id"].to_list() == ["B1", "B2", "B3"] * 3
    items = (folder / "items.csv").read_text().splitlines()
    assert items == ["item_id,title,price", "B1,Thing 1,$5.00", "B2,Thing 2,$5.00", "B3,,"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "interactions.csv",
        "items.csv",
        "prepared.json",
    ]


def test_what_is_made_is_a_dataset(raw: Path, tmp_path: Path) -> None:
    from grasp_bench.data.prepare import prepare

    folder = fashion(tmp_path / "data", given=(raw,)).folder
    found = prepare(Dataset(source=str(folder), min_user=3, min_item=2))
    assert found.sequences.user_ids == ["A1", "A2", "A3"]
    assert found.order == "timestamp"
    assert found.items["title"].to_list() == ["Thing 1", "Thing 2", None]
    assert not any(count for name, count in found.repairs.items() if name != "missing_titles")


def test_the_record_says_from_what(raw: Path, tmp_path: Path) -> None:
    made = fashion(tmp_path / "data", given=(raw,))
    record = json.loads((made.folder / "prepared.json").read_text())
    assert record == made.record
    assert [(each["name"], each["sha256"], each["url"]) for each in record["raw"]] == [
        (name, sha256_of(raw / name), None) for name in FILES
    ]
    assert record["counts"] == {
        "users": 3, "items": 3, "interactions": 9, "interactions_read": 12,
        "interactions_without_rating_above_0": 1, "items_without_metadata": 1, "items_listed_again": 0,
    }  # fmt: skip
    assert record["as_published"] is False
    assert record["files"]["items.csv"] == sha256_of(made.folder / "items.csv")


def test_files_by_path_under_other_packing_and_in_two_places(raw: Path, tmp_path: Path) -> None:
    import gzip

    elsewhere = tmp_path / "AMAZON_FASHION.json"
    elsewhere.write_bytes(gzip.decompress((raw / FILES[0]).read_bytes()))
    (raw / FILES[0]).unlink()
    assert fashion(tmp_path / "data", given=(elsewhere, raw / FILES[1])).record["counts"]["users"] == 3


def test_fetched_once_and_made_once(mirror: str, manners: Manners, tmp_path: Path) -> None:
    root = tmp_path / "data"
    first = fashion(root, urls=(mirror,))
    assert first.made
    assert [each["url"] for each in first.record["raw"]] == [mirror + name for name in FILES]
    before = (first.folder / "items.csv").stat().st_mtime_ns
    again = fashion(root, urls=(mirror,))
    assert (again.made, again.record) == (False, first.record)
    assert (first.folder / "items.csv").stat().st_mtime_ns == before
    assert len(manners.requests) == 2
    assert (
        root / "raw" / f"{FILES[0]}.sha256"
    ).read_text() == f"{sha256_of(root / 'raw' / FILES[0])}  {FILES[0]}\n"


def test_what_was_damaged_or_left_half_is_made_again(raw: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    folder = fashion(root, given=(raw,)).folder
    whole = (folder / "interactions.csv").read_bytes()
    (folder / "interactions.csv").write_text("user_id,item_id\n")
    (folder / "vectors.npy").write_text("the user's own")
    assert fashion(root, given=(raw,)).made
    (folder / "prepared.json").write_text('{"dataset": "amazon-fashion", "version": 1, "files": {}}')
    assert fashion(root, given=(raw,)).made
    assert (folder / "interactions.csv").read_bytes() == whole
    assert (folder / "vectors.npy").read_text() == "the user's own"
    # Other raw files under the same names are other data.
    write_json(raw / FILES[0], map(review_2018, FASHION))
    assert fashion(root, given=(raw,)).record["counts"]["interactions_read"] == 9


def test_data_of_somebody_are_left_alone(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "amazon-fashion"
    folder.mkdir(parents=True)
    (folder / "interactions.csv").write_text("mine")
    with pytest.raises(DataError, match="was not made by") as caught:
        fashion(tmp_path / "data", given=(raw,))
    assert "GRASP_BENCH_DATA" in str(caught.value.hint)
    assert (folder / "interactions.csv").read_text() == "mine"


def test_for_a_run_data_with_texts_are_used_as_they_are(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRASP_BENCH_DATA", str(tmp_path / "data"))
    sources = Sources(given=(raw,))
    made = build_if_absent("amazon-fashion", tmp_path / "data", sources)
    assert made is not None
    assert made.made
    (made.folder / "prepared.json").unlink()
    assert build_if_absent("amazon-fashion", tmp_path / "data", sources) is None
    (made.folder / "items.csv").unlink()
    with pytest.raises(DataError, match="was not made by"):
        build_if_absent("amazon-fashion", tmp_path / "data", sources)
    with pytest.raises(UnknownNameError, match="did you mean 'amazon-beauty'"):
        build_if_absent("amazon-beaty", tmp_path / "data", sources)


def test_checksums_by_option_and_beside(raw: Path, mirror: str, tmp_path: Path) -> None:
    root = tmp_path / "data"
    right, wrong = sha256_of(raw / FILES[0]), "0" * 64
    with pytest.raises(DownloadError, match=f"{right}, not the expected {wrong}"):
        fashion(root, urls=(mirror,), sha256={FILES[0]: wrong})
    with pytest.raises(DownloadError, match="no file of amazon-fashion"):
        fashion(root, urls=(mirror,), sha256={"x": right})
    (raw / f"{FILES[0]}.sha256").write_text(f"{wrong} *{FILES[0]}\n")
    with pytest.raises(DownloadError, match=f"{FILES[0]}: has the SHA-256 {right}"):
        fashion(root, given=(raw,))
    (raw / f"{FILES[0]}.sha256").write_text("none")
    with pytest.raises(DownloadError, match="holds no SHA-256"):
        fashion(root, given=(raw,))
    assert fashion(root, urls=(mirror,), sha256={FILES[0]: right.upper()}).made
    # What was fetched is remembered: a disk that rots is noticed.
    (root / "raw" / FILES[0]).write_bytes(b"rotten")
    with pytest.raises(DownloadError, match="not the expected"):
        fashion(root, urls=(mirror,))


def test_an_address_of_one_file(raw: Path, manners: Manners, mirror: str, tmp_path: Path) -> None:
    manners.files = {
        f"/x/{FILES[0]}": (raw / FILES[0]).read_bytes(),
        f"/{FILES[1]}": (raw / FILES[1]).read_bytes(),
    }
    assert fashion(tmp_path / "data", urls=(f"{mirror}x/{FILES[0]}", mirror)).made


def test_missing_raw_files_are_named(raw: Path, tmp_path: Path) -> None:
    (raw / FILES[1]).unlink()
    with pytest.raises(MissingFileError, match=f"{FILES[1]} not there"):
        fashion(tmp_path / "data", given=(raw,))
    with pytest.raises(MissingFileError, match="no such file or folder"):
        fashion(tmp_path / "data", given=(raw / "none",))


def test_nothing_left_is_no_dataset(raw: Path, tmp_path: Path) -> None:
    write_json(raw / FILES[0], map(review_2018, NOISE))
    with pytest.raises(DataError, match="of 3 interactions none is left"):
        fashion(tmp_path / "data", given=(raw,))
    assert not (tmp_path / "data" / "amazon-fashion").exists()


def test_beauty_and_its_5core(tmp_path: Path) -> None:
    raw = tmp_path / "mine"
    raw.mkdir()
    core: list[Review] = [(f"A{user}", f"B{item}", 0.0, item) for user in range(5) for item in range(5)]
    # A7 has five reviews and one of them of a frequent item: it stays by counting once, not in the 5-core.
    extra = [("A7", "B0", 1.0, 0), *(("A7", f"C{k}", 1.0, k) for k in range(4))]
    write_json(raw / "reviews_Beauty.json.gz", map(review_2014, [*core, *extra]))
    products = [{"asin": "B0", "title": "It's", "categories": [["Beauty", "Hair"]], "price": 2.0}]
    write_literals(raw / "meta_Beauty.json.gz", products)
    whole = build("amazon-beauty", tmp_path / "data", Sources(given=(raw,)))
    assert whole.record["counts"]["interactions"] == 26
    assert (whole.folder / "items.csv").read_text().splitlines()[:2] == [
        "item_id,title,price,categories", "B0,It's,2.0,Hair",
    ]  # fmt: skip
    five = build("amazon-beauty-5core", tmp_path / "data", Sources(given=(raw,)))
    assert five.record["counts"]["interactions"] == 25
    # The published 5-core, where it is given, is taken before the whole file.
    write_json(raw / "reviews_Beauty_5.json.gz", map(review_2014, core))
    published = build("amazon-beauty-5core", tmp_path / "data", Sources(given=(raw,)))
    assert published.record["raw"][0]["name"] == "reviews_Beauty_5.json.gz"
    assert published.record["files"] == five.record["files"]


def test_movielens_fetched_with_its_known_checksum(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "ml-latest-small.zip", latest_small(["1,2,5.0,3"], ["2,X,Drama"]))
    manners = Manners(files={"/ml-latest-small.zip": path.read_bytes()})
    with serving(manners) as url:
        with pytest.raises(DownloadError, match="not the expected 696d65a3"):
            build("movielens-small", tmp_path / "data", Sources(urls=(url,)))
        known = {path.name: sha256_of(path)}
        folder = build("movielens-small", tmp_path / "data", Sources(urls=(url,), sha256=known)).folder
    assert (folder / "interactions.csv").read_text() == "user_id,item_id,rating,timestamp\n1,2,5.0,3\n"
    assert (folder / "items.csv").read_text() == "item_id,title,genres\n2,X,Drama\n"


def test_every_public_set_has_a_maker() -> None:
    assert set(BUILDERS) == {public.builder for public in PUBLIC_SETS.values()}
    assert all(BUILDERS.get(name) for name in BUILDERS)

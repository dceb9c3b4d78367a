"""A contract for every public set: it builds from small files in the true formats and names damage."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from raw_server import Manners, serving
from raw_sets import SAMPLES, SPARSE

from grasp_bench.core.errors import DataError, DownloadError, MissingFileError, UnknownNameError
from grasp_bench.core.hashing import sha256_of
from grasp_bench.core.progress import Event
from grasp_bench.data.prepare import prepare
from grasp_bench.data.sources import rules
from grasp_bench.data.sources.build import BUILDERS, build
from grasp_bench.data.sources.raw_files import Sources
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.public_sets import FAMILIES, PUBLIC_SETS, SINGLE_SETS, PublicSet, how_to_make, names

# Each set that stands alone, and one of each family.
BUILT = [*SINGLE_SETS, *(next(iter(family.members.values())) for family in FAMILIES)]
each_built = pytest.mark.parametrize("public", BUILT, ids=lambda public: public.name)


@pytest.fixture(autouse=True)
def small_sieve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "SLOTS", 1 << 12)


def put(files: dict[str, bytes], folder: Path) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def interactions(folder: Path) -> list[str]:
    table = pl.read_csv(folder / "interactions.csv", infer_schema=False)
    return [" ".join(row) for row in table.select("user_id", "item_id", "timestamp").rows()]


@each_built
def test_fetched_and_built(public: PublicSet, tmp_path: Path) -> None:
    sample = SAMPLES[public.builder](public)
    raw = put(sample.files(), tmp_path / "served")
    known = {raw.name: sha256_of(tmp_path / "served" / raw.name) for raw in public.files}
    with serving(Manners(files={f"/{path.name}": path.read_bytes() for path in raw.iterdir()})) as url:
        made = build(public.name, tmp_path / "data", Sources(urls=(url,), sha256=known))
    assert interactions(made.folder) == sample.rows
    items = pl.read_csv(made.folder / "items.csv", infer_schema=False).rows(named=True)
    found = next(row for row in items if row["item_id"] == sample.item["item_id"])
    assert {name: text for name, text in found.items() if text} == sample.item
    counts = made.record["counts"]
    assert counts["interactions"] == len(sample.rows)
    assert counts["interactions_read"] >= counts["interactions"]
    assert made.record["as_published"] is not bool(public.published)  # a small file is not the published one
    if len(sample.rows) >= 25:  # what is made is a dataset of the harness
        assert prepare(Dataset(source=str(made.folder))).sequences.items.size == len(sample.rows)


@each_built
def test_a_damaged_line_is_named(public: PublicSet, tmp_path: Path) -> None:
    sample = SAMPLES[public.builder](public)
    assert sample.files() != sample.files(damaged=True)
    raw = put(sample.files(damaged=True), tmp_path / "raw")
    with pytest.raises(DataError) as caught:
        build(public.name, tmp_path / "data", Sources(given=(raw,)))
    assert sample.damage[2] in caught.value.message
    assert str(raw / public.files[0].name) in caught.value.message
    assert caught.value.hint
    assert not (tmp_path / "data" / public.name).exists()


@each_built
def test_a_file_that_is_cut_short_is_named(public: PublicSet, tmp_path: Path) -> None:
    raw = put(SAMPLES[public.builder](public).files(), tmp_path / "raw")
    path = raw / public.files[0].name
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=path.name):
        build(public.name, tmp_path / "data", Sources(given=(raw,)))


@pytest.mark.parametrize("public", PUBLIC_SETS.values(), ids=lambda public: public.name)
def test_every_set_is_described(public: PublicSet) -> None:
    assert public.builder in BUILDERS
    assert public.by_hand or all(raw.url.startswith(("https://", "http://")) for raw in public.files)
    assert all((public.title, public.rule, public.text, public.terms, public.published_in_words))
    assert public.homepage.startswith("http")
    assert public.name in how_to_make(public.name, "here")
    assert len({raw.name for raw in public.files}) == len(public.files)
    assert set(public.published) <= {"users", "items", "interactions", "interactions_read"}


def test_no_two_sets_keep_different_files_in_one_place() -> None:
    kept: dict[tuple[str, str], str] = {}
    for public in PUBLIC_SETS.values():
        for raw in public.files:
            assert kept.setdefault((raw.folder, raw.name), raw.url) == raw.url


def test_names_in_short_stand_for_all() -> None:
    assert len(names()) == len(set(names())) < 30 < len(PUBLIC_SETS)
    patterns = [name.partition("<")[0] for name in names()]
    assert all(any(name.startswith(begin) for begin in patterns) for name in PUBLIC_SETS)


@pytest.mark.parametrize(
    ("name", "nearest", "listed"),
    [
        ("amazon-2018-Vidoe_Games", "amazon-2018-Video_Games", "Luxury_Beauty"),
        ("amazon-2023-baby_products-5core", "amazon-2023-Baby_Products-5core", "Baby_Products"),
        ("goodreads-childrens", "goodreads-children", "young_adult"),
        ("ml-10", "ml-100k", ""),
    ],
)
def test_a_wrong_word_gets_the_nearest_and_all(name: str, nearest: str, listed: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean '{nearest}'") as caught:
        build(name, tmp_path, Sources())
    assert listed in str(caught.value.hint)
    assert ("Subscription_Boxes" in str(caught.value.hint)) is False


def test_published_counts_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = PUBLIC_SETS["kuairand-1k"]
    raw = put(SAMPLES["kuairand-1k"](public).files(), tmp_path / "raw")
    monkeypatch.setitem(PUBLIC_SETS, public.name, replace(public, published={"interactions_read": 3}))
    record = build(public.name, tmp_path / "data", Sources(given=(raw,))).record
    assert (record["published"], record["as_published"]) == ({"interactions_read": 3}, True)


def test_what_is_left_out_is_counted_and_named(tmp_path: Path) -> None:
    said: list[Event] = []
    for name, key in (("kuairand-1k", "is_click"), ("lastfm-1k", "track_id"), ("steam", "username")):
        public = PUBLIC_SETS[name]
        raw = put(SAMPLES[public.builder](public).files(), tmp_path / name)
        record = build(name, tmp_path / "data", Sources(given=(raw,)), said.append).record
        assert record["counts"][f"interactions_without_{key}"] == 1
    notes = [event.note for event in said if event.note]
    log = "KuaiRand-1K.tar.gz: KuaiRand-1K/data/log_standard_4_08_to_4_21_1k.csv"
    assert notes == [f"{tmp_path}/kuairand-1k/{log}:4: 2 fields where 7 are expected: left out"]
    users = pl.read_csv(tmp_path / "data" / "lastfm-1k" / "users.csv")
    assert users.rows(named=True) == [{"user_id": "user_000001", "gender": "male", "country": "Japan"}]


def test_yelp_is_brought_by_hand(tmp_path: Path) -> None:
    sample = SAMPLES["yelp"](PUBLIC_SETS["yelp"])
    with pytest.raises(DownloadError, match="terms do not allow") as caught:
        build("yelp", tmp_path / "data", Sources())
    assert "accept the terms at https://" in str(caught.value.hint)
    assert "downloads" not in how_to_make("yelp", "here")
    inside = replace(sample, texts={f"yelp_dataset.tar!{name}": text for name, text in sample.texts.items()})
    tar = put(inside.files(), tmp_path / "tar") / "yelp_dataset.tar"
    assert interactions(build("yelp", tmp_path / "data", Sources(given=(tar,))).folder) == sample.rows
    # Files that lie where downloads do need not be named.
    for name, content in sample.files().items():
        (tmp_path / "data" / "raw" / name).write_bytes(content)
    assert build("yelp", tmp_path / "data", Sources()).made
    reviews = tmp_path / "data" / "raw" / "yelp_academic_dataset_review.json"
    with pytest.raises(MissingFileError, match=r"business\.json not there"):
        build("yelp", tmp_path / "data", Sources(given=(reviews,)))


def test_amazon_2023_from_its_complete_reviews(tmp_path: Path) -> None:
    """The 0-core keeps each user's first review of a product; the complete file has all."""
    public = PUBLIC_SETS["amazon-2023-Books"]
    sample = SAMPLES["amazon-2023"](public)
    table, products = sample.texts.values()
    records = [
        {"rating": float(rating), "title": "t", "asin": "x", "parent_asin": item, "user_id": user,
         "timestamp": int(time), "verified_purchase": True}
        for user, item, rating, time in (line.split(",") for line in table.splitlines()[1:])
    ]  # fmt: skip
    texts = {"Books.jsonl.gz": "\n".join(map(json.dumps, records)), public.files[1].name: products}
    raw = put(replace(sample, texts=texts).files(), tmp_path / "raw")
    made = build(public.name, tmp_path / "data", Sources(given=(raw,)))
    assert interactions(made.folder) == sample.rows
    assert made.record["counts"]["interactions_read"] == len(SPARSE) + 1

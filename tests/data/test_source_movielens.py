"""MovieLens from small zip files in the true formats, and from the real ratings packed again."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from raw_files import latest_small, write_zip

from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import silent
from grasp_bench.data.sources import archives
from grasp_bench.data.sources.movielens import latest_small as make_small
from grasp_bench.data.sources.movielens import one_million
from grasp_bench.data.sources.raw_files import Builder, BuiltTables

RATINGS = ["7,10,4.5,100", "7,20,3.0,50", "3,10,0.5,9", "7,30,1.0,50"]
MOVIES = ['10,"American President, The (1995)",Comedy|Drama', "20,Amélie,(no genres listed)", "30,X,Horror"]
ML_1M = {
    "ml-1m/users.dat": b"1::F::1::10::48067\n2::M::56::0::70072\n",
    "ml-1m/movies.dat": "1::Misérables, Les (1995)::Drama|Musical\n2::Jumanji (1995)::Adventure\n".encode(
        "latin-1"
    ),
    "ml-1m/ratings.dat": b"2::2::5::978300760\n1::1::4::978302109\n1::2::3::978301968\n",
}


def made(maker: Builder, path: Path) -> BuiltTables:
    return maker({path.name: path}, path.parent, silent)


def test_latest_small(tmp_path: Path) -> None:
    found = made(make_small, write_zip(tmp_path / "ml-latest-small.zip", latest_small(RATINGS, MOVIES)))
    assert found.interactions.rows() == [
        ("7", "20", 3.0, 50), ("7", "30", 1.0, 50), ("7", "10", 4.5, 100), ("3", "10", 0.5, 9),
    ]  # fmt: skip
    assert found.items.columns == ["item_id", "title", "genres"]
    assert found.items.rows()[:2] == [
        ("10", "American President, The (1995)", "Comedy|Drama"), ("20", "Amélie", ""),
    ]  # fmt: skip
    assert found.users is None


def test_one_million_in_latin_1(tmp_path: Path) -> None:
    found = made(one_million, write_zip(tmp_path / "ml-1m.zip", ML_1M))
    assert found.interactions.rows() == [
        ("2", "2", 5.0, 978300760), ("1", "2", 3.0, 978301968), ("1", "1", 4.0, 978302109),
    ]  # fmt: skip
    assert found.items["title"][0] == "Misérables, Les (1995)"
    assert found.users is not None
    assert found.users.rows() == [
        ("1", "female", "under 18", "K-12 student"),
        ("2", "male", "56 or older", ""),
    ]


def test_the_real_ratings_packed_again(data_root: Path, tmp_path: Path) -> None:
    folder = data_root / "movielens-small"
    shared = pl.read_csv(folder / "interactions.csv", infer_schema=False)
    films = pl.read_csv(folder / "items.csv", infer_schema=False).select("item_id", "title", "genres")
    # As published: users in the order of their numbers, and each user's ratings by film.
    number = pl.col("user_id", "item_id").cast(pl.Int64)
    rows = shared.sort(number).select("user_id", "item_id", "rating", "timestamp").rows()
    movies = io.StringIO()
    csv.writer(movies).writerows(films.rows())
    members = latest_small([",".join(row) for row in rows], movies.getvalue().splitlines())
    found = made(make_small, write_zip(tmp_path / "ml-latest-small.zip", members))
    expected = {user[0]: frame for user, frame in shared.group_by("user_id")}
    parts = found.interactions.group_by("user_id", maintain_order=True)
    for (user,), frame in parts:
        wanted = expected[str(user)]
        assert frame["timestamp"].cast(pl.String).to_list() == wanted["timestamp"].to_list()
        assert sorted(frame["item_id"]) == sorted(wanted["item_id"])
    assert found.interactions["user_id"].unique(maintain_order=True).to_list() == [
        str(k) for k in range(1, 611)
    ]
    absent = pl.col("genres").replace("(no genres listed)", "")
    assert found.items.rows() == films.with_columns(absent).rows()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ml-1m/ratings.dat": b"1::1::4\n"}, "ml-1m/ratings.dat:1: 3 fields where 4 are expected"),
        (
            {"ml-1m/ratings.dat": b"1::1::4::9\n1::1::x::9\n"},
            "ml-1m/ratings.dat:2: rating is 'x', not a number",
        ),
        ({"ml-1m/movies.dat": None}, "holds no ml-1m/movies.dat"),
        ({"../../evil.dat": b"x"}, "holds '../../evil.dat', a path out of the archive"),
        ({"/etc/evil.dat": b"x"}, "a path out of the archive"),
        ({"ml-1m\\..\\..\\evil.dat": b"x"}, "a path out of the archive"),
    ],
)
def test_archives_that_are_not_as_published(
    change: dict[str, bytes | None], message: str, tmp_path: Path
) -> None:
    members = {name: content for name, content in {**ML_1M, **change}.items() if content is not None}
    with pytest.raises(DataError) as caught:
        made(one_million, write_zip(tmp_path / "ml-1m.zip", members))
    assert message in caught.value.message
    assert str(tmp_path / "ml-1m.zip") in caught.value.message
    assert not list(tmp_path.parent.glob("evil*"))


@pytest.mark.parametrize(
    ("ratings", "movies", "message"),
    [
        ([f"7,{10 * k},4,9" for k in range(40)] + ["7,1,4,99999999999999999999"], MOVIES, "ratings.csv:42: "),
        (["7,10,nan,9"], MOVIES, "ratings.csv:2: rating is 'nan', not a number"),
        (RATINGS, [*MOVIES, '40,"Lost,Drama', "50,Y,Drama"], "movies.csv:6: not UTF-8 CSV (unexpected end"),
        (RATINGS, [*MOVIES, '40,"Lost,Drama', '50,"Y, The",Drama'], "movies.csv:6: not UTF-8 CSV ("),
        (RATINGS, [*MOVIES, "40,Am\udce9lie,Drama", "50,Y,Drama"], "movies.csv:5: not UTF-8 CSV ("),
    ],
)
def test_lines_that_would_be_read_wrong_are_named(
    tmp_path: Path, ratings: list[str], movies: list[str], message: str
) -> None:
    members = latest_small(ratings, [])
    head = b"movieId,title,genres\n"
    members["ml-latest-small/movies.csv"] = head + "\n".join(movies).encode(errors="surrogateescape")
    with pytest.raises(DataError) as caught:
        made(make_small, write_zip(tmp_path / "ml-latest-small.zip", members))
    assert f"ml-latest-small/{message}" in caught.value.message
    assert caught.value.hint


def bomb(path: Path) -> None:
    write_zip(path, {**ML_1M, "ml-1m/ratings.dat": b"1" * 5000})


def lying_bomb(path: Path) -> None:
    """Declares fewer bytes than it unpacks to."""
    bomb(path)
    path.write_bytes(path.read_bytes().replace((5000).to_bytes(4, "little"), (900).to_bytes(4, "little")))


def cut(path: Path) -> None:
    write_zip(path, ML_1M)
    path.write_bytes(path.read_bytes()[:-40])


def rotten(path: Path) -> None:
    write_zip(path, {})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as zipped:
        for name, content in ML_1M.items():
            zipped.writestr(name, content)
    path.write_bytes(path.read_bytes().replace(b"978302109", b"978302100"))


@pytest.mark.parametrize("damage", [bomb, lying_bomb, cut, rotten])
def test_bombs_and_damaged_archives(
    damage: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 1000)
    damage(tmp_path / "ml-1m.zip")
    with pytest.raises(DataError, match=r"ml-1m\.zip: "):
        made(one_million, tmp_path / "ml-1m.zip")


@pytest.mark.parametrize(
    ("head", "row"), [("user,movie,rating,time", "1,1,1,1"), (None, "1,1,1"), (None, '1,1,1,"\udcff'),]
)  # fmt: skip
def test_ratings_that_are_not_as_published(head: str | None, row: str, tmp_path: Path) -> None:
    members = latest_small([], MOVIES)
    head = head or "userId,movieId,rating,timestamp"
    members["ml-latest-small/ratings.csv"] = f"{head}\n{row}\n".encode(errors="surrogateescape")
    with pytest.raises(DataError, match=r"ml-latest-small/ratings\.csv:"):
        made(make_small, write_zip(tmp_path / "ml-latest-small.zip", members))

"""The same histories from every format that people have, and a word on how each was read."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from grasp_bench.core.errors import DataError
from grasp_bench.data.card import card_of_dataset
from grasp_bench.data.prepare import Prepared, prepare
from grasp_bench.spec.dataset import Dataset

# user, item, rating, seconds: three users in the order of their times.
ROWS = [
    (user, 10 * user + step, 1 + step, 978_300_000 + 3600 * step) for user in (3, 1, 2) for step in range(4)
]
HISTORIES = {str(user): [str(10 * user + step) for step in range(4)] for user in (3, 1, 2)}


def lines(separator: str, header: str = "", columns: int = 4, rows: list[tuple[int, ...]] = ROWS) -> str:
    body = [separator.join(map(str, row[:columns])) for row in rows]
    return "\n".join([header.replace(",", separator), *body] if header else body) + "\n"


def histories(found: Prepared) -> dict[str, list[str]]:
    sequences = found.sequences
    ends = zip(sequences.user_ids, sequences.offsets, sequences.offsets[1:], strict=False)
    return {user: [sequences.item_ids[item] for item in sequences.items[a:b]] for user, a, b in ends}


def read(path: Path, **settings: object) -> Prepared:
    return prepare(Dataset(source=str(path), **settings))


NAMES = "user_id,item_id,rating,timestamp"
HEADER = {"header": ["user_id", "item_id", "rating", "timestamp"]}
TYPED = "user_id:token,item_id:token,rating:float,timestamp:float"
FORMATS = {
    "ratings.dat": (
        lines("::"),
        {"format": HEADER},
        "separator '::'; no header line: user_id, item_id, rating",
    ),
    "ratings.tsv": (lines("\t", NAMES), {}, "separator tab"),
    "u.data": (lines("\t"), {"format": HEADER}, "separator tab; no header line"),
    "semicolon.csv": (lines(";", NAMES), {}, "separator ';'"),
    "pipes.txt": (lines("|", NAMES), {}, "separator '|'"),
    "bare.csv": (lines(","), {"format": HEADER}, "separator comma; no header line"),
    "odd.log": (lines("~", NAMES), {"format": {"separator": "~"}}, "separator '~'"),
    "UPPER.CSV": (lines(",", NAMES), {}, "separator comma"),
    "ml.inter": (lines("\t", TYPED), {}, "an atomic file of RecBole"),
    "inter.txt": (lines(" ", columns=2), {}, "one interaction a line (user, item), in order"),
    "sequences.txt": (
        "".join(f"{user} {' '.join(items)} \n" for user, items in HISTORIES.items()),
        {"format": {"user_lines": True}},
        "one user a line, then items, separated by space",
    ),
    "letter.json": (json.dumps(HISTORIES, indent=1), {}, "a JSON object of each user's items, in order"),
    "array.json": (
        json.dumps([dict(zip(NAMES.split(","), row, strict=True)) for row in ROWS], indent=1),
        {},
        "a JSON array of objects",
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_histories(name: str, tmp_path: Path):
    content, settings, said = FORMATS[name]
    path = tmp_path / name
    path.write_text(content)
    found = read(path, **settings)
    assert histories(found) == HISTORIES
    assert said in found.files["interactions"]["read_as"]


def test_lines_of_different_lengths_are_found_to_be_users(tmp_path: Path):
    (tmp_path / "s.txt").write_text("u1 i1 i2 i3\nu2 i2 i1 i4 i5\n")
    assert histories(read(tmp_path / "s.txt")) == {"u1": ["i1", "i2", "i3"], "u2": ["i2", "i1", "i4", "i5"]}


def test_quotes_stay_in_tables_of_tabs_unless_they_are_asked_for(tmp_path: Path):
    (tmp_path / "interactions.csv").write_text(lines(",", NAMES))
    (tmp_path / "items.tsv").write_text('item_id\ttitle\n30\t"Weird Al" Yankovic\n31\t"a ""b"""\n')
    assert read(tmp_path).items["title"].to_list()[:2] == ['"Weird Al" Yankovic', '"a ""b"""']
    (tmp_path / "items.tsv").write_text('item_id\ttitle\n31\t"a ""b"""\n')
    quoted = read(tmp_path, format={"items": {"quotes": True}}).items
    assert quoted["title"].to_list()[1] == 'a "b"'


def test_utf_16_is_read_where_it_is_named(tmp_path: Path):
    (tmp_path / "i.csv").write_bytes(lines(";", NAMES).encode("utf-16"))
    assert histories(read(tmp_path / "i.csv", format={"encoding": "utf-16"})) == HISTORIES
    with pytest.raises(DataError, match="no encoding is called 'utf-17'"):
        read(tmp_path / "i.csv", format={"encoding": "utf-17"})


def test_a_zip_with_one_table(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "ml.zip", "w") as archive:
        archive.writestr("ml/ratings.dat", lines("::"))
        archive.writestr("ml/README.txt", "terms")
    assert histories(read(tmp_path / "ml.zip", format=HEADER)) == HISTORIES
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", lines(",", NAMES))
        archive.writestr("b.csv", lines(",", NAMES))
    with pytest.raises(DataError, match=r"two\.zip: holds 2 files \(a\.csv, b\.csv\), where one is wanted"):
        read(tmp_path / "two.zip")


def test_a_folder_of_atomic_files(tmp_path: Path):
    folder = tmp_path / "ml-tiny"
    folder.mkdir()
    (folder / "ml-tiny.inter").write_text(lines("\t", TYPED))
    items = "\n".join(
        f'{item}\t"Weird" film {item}\tDrama War' for user in HISTORIES.values() for item in user
    )
    (folder / "ml-tiny.item").write_text(f"item_id:token\tmovie_title:token_seq\tclass:token_seq\n{items}\n")
    (folder / "ml-tiny.user").write_text("user_id:token\tage:float\n1\t20\n2\t30\n3\t40\n")
    found = read(folder, columns={"title": "movie_title", "category": "class"}, users="users")
    assert histories(found) == HISTORIES
    assert found.items.row(0) == ("30", '"Weird" film 30', "Drama War")
    assert found.users["age"].to_list() == ["40", "20", "30"]


def test_items_in_latin_1_beside_interactions(tmp_path: Path):
    (tmp_path / "ratings.dat").write_text(lines("::"))
    titles = "".join(f"{item}::Amélie {item}::Drama\n" for items in HISTORIES.values() for item in items)
    (tmp_path / "movies.dat").write_bytes(titles.encode("latin-1"))
    form = {**HEADER, "items": {"header": ["item_id", "title", "genres"], "encoding": "latin-1"}}
    found = read(tmp_path / "ratings.dat", items=str(tmp_path / "movies.dat"), format=form)
    assert found.items.row(0) == ("30", "Amélie 30", None, "Drama")
    wrong = {**form, "items": {"header": ["item_id", "title", "genres"], "encoding": "ascii"}}
    with pytest.raises(DataError, match=r"movies\.dat:1: not ascii: byte 0xe9"):
        read(tmp_path / "ratings.dat", items=str(tmp_path / "movies.dat"), format=wrong)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "r.dat",
            lines("::"),
            "the first line names no columns: 3, 30, 1, 978300000 (read with separator '::')",
        ),
        (
            "r.csv",
            lines(","),
            "name them, such as dataset.format.header: [user_id, item_id, rating, timestamp]",
        ),
        ("r.csv", lines(";", "uid,iid,t", 3), "the file has uid, iid, t (read with separator ';')"),
        ("r.txt", "who what\nb c d\n", "cannot tell how its columns are separated ('who what')"),
        ("r.inter", lines("\t", NAMES), "column 'user_id' names no type"),
        ("r.tsv", lines("\t", NAMES) + "1\t2\n", "r.tsv:14: 2 fields where the header has 4 (separator tab)"),
        ("r.json", '{"a": [1], "a": [2]}', "'a' is listed twice"),
        ("r.json", '[{"user_id": 1},\n {]', "r.json:2: not JSON"),
    ],
)
def test_what_cannot_be_read_names_line_and_mend(name: str, content: str, message: str, tmp_path: Path):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as caught:
        read(tmp_path / name)
    assert message in f"{caught.value} {caught.value.hint}"


def test_a_row_of_another_width_is_named_in_the_file_with_long_separators(tmp_path: Path):
    (tmp_path / "r.dat").write_text(lines("::") + "1::2::3\n")
    with pytest.raises(DataError, match=r"r\.dat:13: 3 fields where dataset\.format\.header names 4"):
        read(tmp_path / "r.dat", format=HEADER)


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        ("%d/%m/%Y", ["01/02/2020", "02/02/2020", "03/02/2020"]),
        ("%m/%d/%Y", ["01/02/2020", "02/02/2020", "03/02/2020"]),
        ("%m %d, %Y", ["07 5, 2017", "07 15, 2017", "08 1, 2017"]),
        ("%Y-%m-%d %H:%M:%S.%f UTC", [f"2017-07-15 17:48:11.{place}23456 UTC" for place in (1, 2, 3)]),
        ("%Y-%m-%d %H:%M:%S %z", [f"2017-07-15 17:48:11 {zone}" for zone in ("+0200", "+0100", "-0100")]),
    ],
)  # fmt: skip
def test_times_by_their_format_are_those_of_strptime(form: str, texts: list[str], tmp_path: Path):
    table = "user_id;item_id;timestamp\n" + "".join(f"a;{item};{text}\n" for item, text in enumerate(texts))
    (tmp_path / "i.csv").write_text(table)
    orders = read(tmp_path / "i.csv", format={"time": form}).sequences.orders
    expected = [datetime.strptime(text, form) for text in texts]
    zoned = [time if time.tzinfo else time.replace(tzinfo=UTC) for time in expected]
    assert orders.tolist() == [round(time.timestamp() * 1e6) for time in zoned]


def test_a_day_that_may_be_a_month_asks_for_the_format(tmp_path: Path):
    (tmp_path / "i.csv").write_text(
        "user_id,item_id,timestamp\na,1,01/02/2020\na,2,03/02/2020\na,3,04/02/2020\n"
    )
    with pytest.raises(DataError) as caught:
        read(tmp_path / "i.csv")
    assert "dataset.format.time" in caught.value.hint
    with pytest.raises(DataError, match=r"i\.csv:2: timestamp '01/02/2020' is not a time as '%Y' writes it"):
        read(tmp_path / "i.csv", format={"time": "%Y"})


@pytest.mark.parametrize(
    ("factor", "unit"),
    [(1, "seconds"), (10**3, "milliseconds"), (10**6, "microseconds"), (10**9, "nanoseconds")],
)
def test_the_card_tells_the_unit_of_times(factor: int, unit: str, tmp_path: Path):
    rows = [(user, item, rating, time * factor) for user, item, rating, time in ROWS]
    (tmp_path / "i.csv").write_text(lines(",", NAMES, rows=rows))
    times = card_of_dataset(Dataset(source=str(tmp_path / "i.csv")))["files"]["interactions"]["times"]
    assert times == {"unit": unit, "first": "2000-12-31", "last": "2001-01-01"}


def test_nested_columns_that_nobody_asked_for_are_left_out_and_told(tmp_path: Path):
    (tmp_path / "interactions.csv").write_text(lines(",", NAMES))
    items = [
        {"item_id": item, "title": "t", "also": [{"bought": 1}], "tags": ["a", "b"]} for item in ("30", "31")
    ]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    found = read(tmp_path)
    assert found.items.columns == ["item_id", "title", "category", "tags"]
    assert found.files["items"]["nested_columns_left_out"] == ["also"]
    with pytest.raises(DataError, match="column 'also' is nested"):
        read(tmp_path, columns={"category": "also"})


def test_ids_that_match_nothing_are_told_with_a_pair(tmp_path: Path):
    (tmp_path / "interactions.csv").write_text(lines(",", NAMES))
    items = "".join(f"{item}.0,t\n" for user in HISTORIES.values() for item in user)
    (tmp_path / "items.csv").write_text(f"item_id,title\n{items}")
    (note,) = read(tmp_path).notes
    assert "none of the 12 items" in note
    assert "has '30.0', the interactions have '30'" in note


def test_a_log_of_plays_that_repeats_itself_is_told(tmp_path: Path):
    rows = [row for row in ROWS for _ in range(2)]
    (tmp_path / "plays.csv").write_text(lines(",", NAMES, rows=rows))
    (note,) = read(tmp_path / "plays.csv").notes
    assert "12 of 24 interactions repeat the user, item and time of another (50.0 %)" in note
    assert not read(tmp_path / "plays.csv", repair={"duplicates": "drop"}).notes


README = Path(__file__).parents[2] / "README.md"
ITEMS = [item for items in HISTORIES.values() for item in items]
REVIEWS = [
    {
        "rating": 5.0, "title": "good", "images": [{"small": "u"}], "asin": f"B{user}{step}",
        "user_id": f"A{user}", "parent_asin": f"P{step}", "timestamp": 1_588_687_728_923 + step,
        "verified_purchase": True,
    }
    for user in (1, 2) for step in range(4)
]  # fmt: skip
PRODUCTS = [
    {
        "main_category": "All Beauty", "title": f"Soap {step}", "features": [], "price": None,
        "images": [{"thumb": "u"}], "categories": ["Bath", "Soap"],
        "details": {f"key {1500 * step + place}": "x" for place in range(1500)}, "parent_asin": f"P{step}",
    }
    for step in range(4)
]  # fmt: skip


def written(folder: Path) -> None:
    """True-format files of the three users of the README, who differ in nothing but the numbers of rows."""
    (folder / "ml-100k").mkdir()
    (folder / "ml-100k/ml-100k.inter").write_text(lines("\t", TYPED))
    header = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"
    films = "".join(
        f"{item}\tToy Story {item}\t1995\tComedy\n" for items in HISTORIES.values() for item in items
    )
    (folder / "ml-100k/ml-100k.item").write_text(f"{header}\n{films}")
    (folder / "ml-1m").mkdir()
    (folder / "ml-1m/ratings.dat").write_text(lines("::"))
    films = "".join(
        f"{item}::Amélie {item} (2001)::Drama|War\n" for items in HISTORIES.values() for item in items
    )
    (folder / "ml-1m/movies.dat").write_bytes(films.encode("latin-1"))
    for name, rows in (("All_Beauty", REVIEWS), ("meta_All_Beauty", PRODUCTS)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode()))


def test_the_lines_of_the_readme_read_recbole_movielens_and_amazon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    written(tmp_path)
    monkeypatch.chdir(tmp_path)
    block = README.read_text().partition("## Your own data")[2].partition("```yaml\n")[2].partition("```")[0]
    recbole, movielens, amazon = (prepare(Dataset(**each)) for each in yaml.safe_load_all(block))
    assert histories(recbole) == histories(movielens) == HISTORIES
    assert recbole.items["title"][0] == "Toy Story 30"
    assert recbole.items["category"][0] == "Comedy"
    assert movielens.items["title"][0] == "Amélie 30 (2001)"
    assert histories(amazon) == {user: [f"P{step}" for step in range(4)] for user in ("A1", "A2")}
    assert amazon.items.row(0, named=True)["category"] == "Bath > Soap"
    assert amazon.files["items"]["nested_columns_left_out"] == ["images", "details"]
    assert amazon.files["interactions"]["times"]["unit"] == "milliseconds"
    assert not [*recbole.notes, *movielens.notes, *amazon.notes]

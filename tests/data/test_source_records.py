"""Lines, records, reviews and products: what the raw formats hold, and what a damaged file says."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from raw_files import review_2014, review_2018, reviews_of, write_json, write_literals

from grasp_bench.core.errors import DataError
from grasp_bench.data.sources import records
from grasp_bench.data.sources.amazon import PRODUCTS_2014, PRODUCTS_2018
from grasp_bench.data.sources.records import numbered_lines, record_of
from grasp_bench.data.sources.rules import Review

HOSTILE = {
    "a call": b"__import__('os').system('touch /tmp/owned')",
    "a call inside": b"{'asin': ().__class__.__bases__[0].__subclasses__()}",
    "a name": b"{'asin': open}",
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep signs": b"-" * 100_000 + b"1",
    "long sums": b"1" + b"+1j" * 30_000,
    "a huge number": b"{'asin': " + b"9" * 10_000 + b"}",
    "too long": b"{'asin': '" + b"x" * (1 << 20) + b"'}",
    "broken": b"{'asin': 'B1'",
    "not UTF-8": b"{'asin': '\xff'}",
    "deep JSON": b'{"a": ' * 100_000,
    "a list": b"['asin']",
    "nothing": b"null",
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_lines_are_refused_by_file_and_line(line: bytes) -> None:
    with pytest.raises(DataError, match=r"^meta\.json\.gz:7: ") as caught:
        record_of(line, Path("meta.json.gz"), 7)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"asin": "B1", "price": 2.5}', {"asin": "B1", "price": 2.5}),
        (b"{'asin': 'B1', 'title': \"It's\", 'ok': True}", {"asin": "B1", "title": "It's", "ok": True}),
        (b"{u'asin': u'B1', 'x': -1, 't': 'a\\xe9\\d'}", {"asin": "B1", "x": -1, "t": "aé\\d"}),
    ],
)
def test_json_and_python_literals(line: bytes, expected: dict[str, Any]) -> None:
    assert record_of(line, Path("x"), 1) == expected


def test_lines_are_numbered_over_blanks_marks_and_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "CHUNK", 5)
    content = b"\xef\xbb\xbffirst\n\n  \r\nfourth line\nlast"
    expected = [(1, b"first"), (4, b"fourth line"), (5, b"last")]
    (tmp_path / "plain.json").write_bytes(content)
    assert list(numbered_lines(tmp_path / "plain.json")) == expected
    # Several gzip files one after the other are one gzip file.
    (tmp_path / "packed.json.gz").write_bytes(gzip.compress(content[:9]) + gzip.compress(content[9:]))
    assert list(numbered_lines(tmp_path / "packed.json.gz")) == expected


def test_damaged_files_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json.gz"
    whole = gzip.compress(bytes(range(256)) * 500)
    for content, what in ((whole[:-20], "ends too early"), (b"<html>", "is damaged"), (b"", "")):
        path.write_bytes(content)
        if what:
            with pytest.raises(DataError, match=f"{what}"):
                list(numbered_lines(path))
        else:
            assert list(numbered_lines(path)) == []
    monkeypatch.setattr(records, "LONGEST_LINE", 100)
    monkeypatch.setattr(records, "CHUNK", 64)
    path.write_bytes(gzip.compress(b"x\n" + b"y" * 1000))
    with pytest.raises(DataError, match=r"x\.json\.gz:2: a line of more than"):
        list(numbered_lines(path))


REVIEWS = [("A1", "B1", 5.0, 1_381_000_000), ("A2", "B1", 0.0, 3), ("A1", "B2", 2.0, 1)]
EXPECTED = [Review(user.encode(), item.encode(), *rest) for user, item, *rest in REVIEWS]


def test_reviews_of_both_years(tmp_path: Path) -> None:
    assert list(reviews_of(write_json(tmp_path / "a.json.gz", map(review_2018, REVIEWS)))) == EXPECTED
    assert list(reviews_of(write_json(tmp_path / "b.json.gz", map(review_2014, REVIEWS)))) == EXPECTED
    # The complete 2014 files were published as Python literals, too.
    assert list(reviews_of(write_literals(tmp_path / "c.json.gz", map(review_2014, REVIEWS)))) == EXPECTED


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reviewerID": ""}, "reviewerID is '', not an id"),
        ({"reviewerID": None}, "reviewerID is None, not an id"),
        ({"asin": "B 1"}, "asin is 'B 1', not an id"),
        ({"asin": "\ud800"}, "surrogates not allowed"),
        ({"overall": "five"}, "overall is 'five', not a number"),
        ({"overall": float("nan")}, "overall is nan, not a number"),
        ({"overall": True}, "overall is True, not a number"),
        ({"unixReviewTime": "1"}, "unixReviewTime is '1', not whole seconds"),
        ({"unixReviewTime": 1.5}, "unixReviewTime is 1.5, not whole seconds"),
        ({"unixReviewTime": float("inf")}, "unixReviewTime is inf, not whole seconds"),
        ({"unixReviewTime": 10**30}, "too large"),
    ],
)
def test_a_review_that_cannot_be_used_is_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write_json(tmp_path / "r.json.gz", [review_2018(REVIEWS[0]), review_2018(REVIEWS[0]) | change])
    with pytest.raises(DataError) as caught:
        list(reviews_of(path))
    assert caught.value.message.startswith(f"{path}:2: ")
    assert message in caught.value.message


def test_a_file_of_products_is_no_file_of_reviews(tmp_path: Path) -> None:
    path = write_json(tmp_path / "r.json.gz", [{"asin": "B1", "title": "x"}])
    with pytest.raises(DataError, match="reviewerID is absent, not an id"):
        list(reviews_of(path))


def text_of(record: dict[str, Any], folder: Path) -> dict[str, str]:
    old = "categories" in record
    write, products = (write_literals, PRODUCTS_2014) if old else (write_json, PRODUCTS_2018)
    found = products.catalogue(write(folder / "meta.json.gz", [record]), ["B1"])
    return {name: text for name, text in zip(products.columns, found.texts["B1"], strict=True) if text}


def test_products_of_2018(tmp_path: Path) -> None:
    record = {
        "asin": "B1", "title": "Tom &amp; Jerry\n  shirt", "brand": "by Acme", "price": "$4.90 - $12.00",
        "feature": ["100% cotton", "", "Imported"], "description": ["Soft.", "Warm."],
        "category": ["Clothing", "Men"], "also_view": ["B2"], "rank": "1 in x",
    }  # fmt: skip
    assert text_of(record, tmp_path) == {
        "title": "Tom & Jerry shirt", "brand": "by Acme", "price": "$4.90 - $12.00",
        "categories": "Clothing > Men", "feature": "100% cotton, Imported", "description": "Soft. Warm.",
    }  # fmt: skip


def test_page_code_is_no_text(tmp_path: Path) -> None:
    record = {
        "asin": "B1", "title": "var aPageStart = (new Date()).getTime();", "price": ".a-box-inner{color:red}",
        "brand": "<script>x</script>", "description": [], "feature": None, "category": [],
    }  # fmt: skip
    assert text_of(record, tmp_path) == {}


def test_products_of_2014(tmp_path: Path) -> None:
    record = {
        "asin": "B1", "title": 'Mother\'s "Best" Lotion', "price": 12.5, "brand": "Opalia",
        "description": "It's soft", "salesRank": {"Beauty": 1}, "related": {"also_bought": ["B2"]},
        "categories": [["Health", "Oral"], ["Beauty", "Skin Care", "Face"]],
    }  # fmt: skip
    assert text_of(record, tmp_path) == {
        "title": 'Mother\'s "Best" Lotion', "brand": "Opalia", "price": "12.5",
        "categories": "Skin Care > Face", "description": "It's soft",
    }  # fmt: skip
    assert text_of({"asin": "B1", "categories": [["Health", "Oral"]]}, tmp_path) == {
        "categories": "Health > Oral"
    }


def test_the_first_row_of_an_item_counts_and_others_are_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "meta.json.gz"
    rows = [
        b"{'asin': 'B9', 'title': broken",  # nobody wants it
        b"{'title': 'like \\'asin\\': \\'B9\\'', 'asin': 'B1'}",
        b"{'asin': 'B1', 'title': 'second'}",
        b"{'title': 'without an id'}",
    ]
    path.write_bytes(gzip.compress(b"\n".join(rows)))
    found = PRODUCTS_2014.catalogue(path, ["B1", "B2"])
    assert found.texts == {"B1": ("like 'asin': 'B9'", "", "", "", "", "")}
    assert found.repeats == 1
    path.write_bytes(gzip.compress(b"{'asin': 'B1', 'title': broken}"))
    with pytest.raises(DataError, match=r"meta\.json\.gz:1: neither JSON nor a Python literal"):
        PRODUCTS_2014.catalogue(path, ["B1"])


def test_values_that_are_no_text_are_left_out(tmp_path: Path) -> None:
    record = {
        "asin": "B1",
        "title": {"a": 1},
        "brand": True,
        "price": [1],
        "feature": {"x": "y"},
        "category": "x",
    }
    assert text_of(record, tmp_path) == {}
    assert text_of({"asin": "B1", "title": "half \ud83d"}, tmp_path) == {"title": "half ?"}

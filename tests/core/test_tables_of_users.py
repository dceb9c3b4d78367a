"""Users' tables: what is read, and for what is not the one error with its line."""

from __future__ import annotations

import csv
import gzip
import json
import time
from pathlib import Path

import polars as pl
import pytest

from grasp_bench.core.errors import DataError
from grasp_bench.core.tables import csv_files, json_lines, text_files
from grasp_bench.core.tables.csv_files import scan_csv
from grasp_bench.core.tables.files import place_of, read_file

HEAD = "item_id,title,note\n"
OPENS = "a quote opens a field here"
AT_ONCE = 10  # seconds; each of these takes well under one


def write(tmp_path: Path, content: str | bytes, name: str = "a.csv") -> Path:
    path = tmp_path / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data, 1) if name.endswith(".gz") else data)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_file(path)
    assert caught.value.hint
    return caught.value.message.removeprefix(f"{path.parent}/")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('i1,12" ruler,x\ni2,5\'10",y\n', [("i1", '12" ruler', "x"), ("i2", "5'10\"", "y")]),
        ('i1,12" ruler,"a,b"\n', [("i1", '12" ruler', "a,b")]),
        ('i1,"12"" ruler","a\nb"\r\ni2,"",\n', [("i1", '12" ruler', "a\nb"), ("i2", None, None)]),
        ('i1,"a\r\nb\rc",x', [("i1", "a\r\nb\rc", "x")]),
        ("i1,,\n\ni2, , x\r\n", [("i1", None, None), (None, None, None), ("i2", " ", " x")]),
        ('i1,,\n\ni2, ,""\r\n', [("i1", None, None), (None, None, None), ("i2", " ", None)]),
        (",,\ni1,a,\n", [(None, None, None), ("i1", "a", None)]),
    ],
)
def test_csv_is_read_as_strict_readers_do(
    tmp_path: Path, content: str, rows: list[tuple[str]], name: str
) -> None:
    path = write(tmp_path, HEAD + content, name)
    assert read_file(path).rows() == rows
    assert scan_csv(path).drop(csv_files.LINE).collect().rows() == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        # Three rows would be swallowed up to the next quote.
        (
            'i1,a,b\ni2,"Lipstick,A\ni3,Brush,B\ni4,Comb,C\ni5,"Nail file",D\n',
            f"a.csv:3: {OPENS}, and behind its closing quote on line 6 stands 'N'",
        ),
        ('i1,a,b\ni2,"Lipstick,A\ni3,Brush,B\n', f"a.csv:3: {OPENS} and is not closed by line 4"),
        ('i1,"x\ny","Lipstick\ni3,Brush,B\n', f"a.csv:3: {OPENS} and is not closed by line 4"),
        ('i1,a,b\ni2,"12" ruler",c\n', f"a.csv:3: {OPENS}, and behind its closing quote stands"),
        ('i1,a,b\ni2,"a"\n', "a.csv:3: 2 fields where the header has 3"),
        ('i1,"a\n,b",c\ni2,a,b,"c"\n', "a.csv:4: 4 fields where the header has 3"),
        ("i1,a,b\ni2\n", "a.csv:3: 1 fields where the header has 3"),
        ("i1,,\n\ni2,b\n,,\n", "a.csv:4: 2 fields where the header has 3"),
        ("i1,a\rb,c\n", "a.csv:2: a carriage return (CR) without a line feed"),
        ('i1,a,c\ni1,a\rb,"c"\n', "a.csv:3: a carriage return (CR) without a line feed"),
        ("i1,a,c\r", "a.csv:2: a carriage return (CR) without a line feed"),
        ("i1,a\0,c\n", "a.csv:2: a NUL character"),
        ((HEAD + "i1,é,c\n" * 38).encode() + b"i1,\xe9,c\n", "a.csv:40: not UTF-8: byte 0xe9 (offset 326)"),
        ((HEAD + "i1,").encode() + "é".encode()[:1], "a.csv:2: not UTF-8: byte 0xc3"),
        (HEAD.encode("utf-16"), "a.csv:1: UTF-16"),
        (HEAD.encode("utf-16-le"), "a.csv:1: a NUL character"),
        (gzip.compress(HEAD.encode(), mtime=0), "a.csv:1: packed by gzip"),
        ("i1,a,b\n__line__,", "a.csv:3: 2 fields"),
    ],
)  # fmt: skip
def test_csv_is_refused_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = write(tmp_path, HEAD + content if isinstance(content, str) else content)
    assert refusal(path).startswith(message)


def test_line_ends_of_old_macs(tmp_path: Path) -> None:
    for quote in ("", '"'):
        path = write(tmp_path, f"item_id,title\r1,{quote}a{quote}\r2,b\r")
        assert refusal(path).startswith("a.csv:1: a carriage return (CR) without a line feed")


def test_long_fields_are_read_and_what_is_wrong_below_them_has_its_line(tmp_path: Path) -> None:
    long = "x" * 1_000_000
    assert read_file(write(tmp_path, f'{HEAD}i1,"{long}",b\n'))["title"].to_list() == [long]
    assert read_file(write(tmp_path, f"{HEAD}i1,{long},b\n"))["title"].to_list() == [long]
    assert refusal(write(tmp_path, f"{HEAD}i1,{long},b\ni2,c\n")).startswith("a.csv:3: 2 fields")
    assert read_file(write(tmp_path, f'item_id,"{long}"\ni1,a\n')).columns == ["item_id", long]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_fields_and_lines_have_a_bound(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    too_long = "x" * (text_files.LONGEST + 1)
    path = write(tmp_path, f"{HEAD}i1,a,b\n{too_long},b,c\n", name)
    assert refusal(path) == f"{name}:3: a line of more than 16 MiB"
    monkeypatch.setattr(csv_files, "LONGEST", 1000)
    lines = write(tmp_path, HEAD + 'i1,a,b\ni2,"open\n' + "i3,a,b\n" * 1000)
    assert refusal(lines).startswith(f"a.csv:3: {OPENS} and is not closed by line 1")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "quoted.csv", "many.jsonl"])
def test_columns_have_a_bound(tmp_path: Path, name: str) -> None:
    names = [f"k{n}" for n in range(30_000 if name == "a.parquet" else 200_000)]
    path = tmp_path / name
    match name:
        case "a.csv":
            path.write_text(",".join(names) + "\n" + ",".join("1" for _ in names))
        case "quoted.csv":
            path.write_text(",".join(f'"{each}"' for each in names) + "\n" + ",".join("1" for _ in names))
        case "a.jsonl":
            path.write_text(json.dumps(dict.fromkeys(names, 1)) + "\n")
        case "many.jsonl":
            path.write_text("".join(f'{{"{each}": 1}}\n' for each in names))
        case _:
            pl.DataFrame({each: [1] for each in names}).write_parquet(path)
    began = time.perf_counter()
    message = refusal(path)
    assert time.perf_counter() - began < AT_ONCE
    assert "more than 4,096" in message
    assert len(message) < 200
    if name.endswith(".jsonl"):
        assert message.startswith(f"{name}:{1 if name == 'a.jsonl' else 4097}: ")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz", "a.parquet.gz"])
def test_what_unpacks_without_end_is_refused_while_it_is_unpacked(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    monkeypatch.setattr(text_files, "MOST_UNPACKED", 3 * text_files.CHUNK)
    whole = text_files.opened

    def counted(path: Path):  # type: ignore[no-untyped-def]
        stream = whole(path)
        read = stream.read
        stream.read = lambda size: taken.append(size) or read(size)  # type: ignore[method-assign, func-returns-value]
        return stream

    monkeypatch.setattr(text_files, "opened", counted)
    path = write(tmp_path, b'{"a": 1}\n' * (20 * text_files.CHUNK // 9), name)
    assert refusal(path) == f"{name}: unpacks to more than 3,145,728 bytes"
    assert sum(taken) == 4 * text_files.CHUNK


def test_faults_across_the_pieces_that_a_file_is_read_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_files, "CHUNK", 1)
    good = HEAD + "i1,é東\U0001f600,c\r\ni2,,\r\n"
    assert read_file(write(tmp_path, good)).rows() == [("i1", "é東\U0001f600", "c"), ("i2", None, None)]
    assert refusal(write(tmp_path, good + "i3,a\r,b\r\n")).startswith("a.csv:4: a carriage return")
    assert refusal(write(tmp_path, good.encode() + b"i3,\xe6\x9d,b\n")).startswith(
        "a.csv:4: not UTF-8: byte 0xe6"
    )
    monkeypatch.setattr(text_files, "LONGEST", 30)
    assert refusal(write(tmp_path, good + "x" * 31)) == "a.csv:4: a line of more than 0 MiB"


def test_places_are_those_of_an_independent_count(tmp_path: Path) -> None:
    """By Python's csv, which counts the physical lines of each record."""
    rows = [["a\nb", "c", "1"], [], ["d", 'e"\n\n', "2"], ["f", "g", "3"]]
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([["item_id", "title\nlong", "note"], *rows])
    with path.open(newline="") as stream:
        reader = csv.reader(stream)
        ends = [reader.line_num for _ in reader]
    begins = [end + 1 for end in ends[:-1]]
    assert [place_of(path, row) for row in range(len(rows))] == [f"{path}:{line}" for line in begins]
    assert scan_csv(path).collect()[csv_files.LINE].to_list() == begins


JSON_HEAD = '{"id": 1, "t": "x"}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": NaN}\n', "a.jsonl:2: NaN is not JSON"),
        ('{"id": -Infinity}\n', "a.jsonl:2: -Infinity is not JSON"),
        ('{"id": 1e999}\n', "a.jsonl:2: 1e999 is too large a number"),
        ('{"id": 1' + "0" * 60 + "}\n", "a.jsonl:2: 1000000000000000000000000000000000000000… is too large"),
        ('{"id": ' + str(2**127) + "}\n", "a.jsonl:2: does not go with the lines above (cannot parse '1701"),
        ('{"id": ' + str(2**128) + "}\n", "a.jsonl:2: 3402"),
        ('{"id": ' + str(2**127) + '}\n{"id": "x"}\n{"id": NaN}\n', "a.jsonl:4: NaN is not JSON"),
        ('\n{"id": 1} {"id": 2}\n', "a.jsonl:3: not JSON (Extra data"),
        ('{"id": {"a": 1}}\n', "a.jsonl:2: does not go with the lines above"),
        ('{"id": 2}\n{"id": true}\n', "a.jsonl:3: does not go with the lines above"),
        ('{"id": "\\ud800"}\n', "a.jsonl:2: \\ud800 is half of a character"),
        ('{"id": "\\udc00x"}\n', "a.jsonl:2: \\udc00 is half of a character"),
        ('{"id": 9007199254740993}\n{"id": 0.5}\n', "a.jsonl:2: id is 9007199254740993, which is rounded"),
        ('{"id": 2}\r{"id": 3}\r', "a.jsonl:2: a carriage return (CR) without a line feed"),
        ('{"id": "\xe9"}\n'.encode("latin-1"), "a.jsonl:2: not UTF-8: byte 0xe9"),
        ('{"id": ' + "[" * 5000 + "]" * 5000 + "}\n", "a.jsonl:2: nested too deeply"),
        ("null\n", "a.jsonl:2: a JSON NoneType where an object is wanted"),
    ],
)
def test_json_lines_are_refused_with_their_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    data = content.encode() if isinstance(content, str) else content
    assert refusal(write(tmp_path, JSON_HEAD.encode() + data, "a.jsonl")).startswith(message)


def test_json_lines_that_look_wrong_and_are_not(tmp_path: Path) -> None:
    values = ["\\ud800", "\U0001f600", 'a "b": c', "NaN", str(2**70), "\u2028"]
    lines = [json.dumps({"id": each}) for each in values] + [
        json.dumps({"id": each}, ensure_ascii=False) for each in values
    ]
    path = write(tmp_path, "\n \n".join(lines), "a.jsonl")
    assert read_file(path)["id"].to_list() == [*values, *values]
    assert place_of(path, 2) == f"{path}:5"


def test_large_whole_numbers_stay_apart(tmp_path: Path) -> None:
    numbers = [2**53 + 1, 2**63 - 1, 2**63, 2**64 + 1, -(2**63) - 1, 2**126]
    path = write(tmp_path, "".join(f'{{"id": {each}}}\n' for each in numbers), "a.jsonl")
    assert read_file(path)["id"].cast(pl.String).to_list() == [str(each) for each in numbers]


def test_the_locator_of_json_lines_reads_as_the_reader_does(tmp_path: Path) -> None:
    """Whatever Python's json accepts and polars does not is found by polars itself."""
    good = "".join(f'{{"id": {k}, "t": [{k}]}}\n' for k in range(300))
    path = write(tmp_path, good + '{"id": 1, "t": {"a": 1}}\n' + good, "a.jsonl")
    assert json_lines._fails(path.read_bytes())
    assert refusal(path).startswith("a.jsonl:301: does not go with the lines above")

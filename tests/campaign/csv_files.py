"""Fuzzed CSV and JSON Lines files: read as an independent reader does, or refused with the line.

    python -m tests.campaign.csv_files --cases 2500 --seed 0

A case writes a sound table, changes one thing in it, and reads it. Expected is what `plain_readers` finds:
readers of one character and one line at a time. A case misbehaves by a traceback, a crash, more than ten
seconds, words that say nothing, an error without a line where there is one (or with another line), or by
other rows than expected. One case in ten is of dates or large numbers, which
must keep their order.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import multiprocessing
import random
import re
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, TimeoutError
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tests.campaign.plain_readers import Fault, Rows, plain_csv, plain_json_lines

MOST_SECONDS = 10
SAYING_NOTHING = ("expected 0 rows", "expected 0", "ragged", "panic", "Schema", "TapeError", "Errno")
NO_LINE = ("the file is empty", "no rows", "damaged gzip file", "unpacks to more than")
WORDS = [
    "Lipstick",
    "Nail file",
    "été",
    "東京",
    "a, b",
    '12" ruler',
    "5'10\"",
    "",
    " x ",
    "line\nbreak",
    "\\",
    "NULL",
    "007",
]
ODD = [
    '"',
    '""',
    ",",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\\",
    "'",
    ";",
    "\t",
    "{",
    "}",
    "[",
    ":",
    "\ufeff",
    "\u2028",
    "é",
    " ",
]
TOKENS = [
    "NaN", "Infinity", "-Infinity", "1e999", "0.5", str(2**63), str(2**64 + 1), str(2**127), str(2**128),
    "01", "1.", "None", '"\\ud800"', '"\\udfff\\ud800"', '"\\ud83d\\ude00"', '"\\u00e9"', '"\\x"', "[1, 2]",
    '{"a": 1}', "true", "null", '"',
]  # fmt: skip

Change = Callable[[random.Random, bytes], bytes]


class Outcome(NamedTuple):
    """`verdict` is read, refused or misbehaved."""

    change: str
    verdict: str
    detail: str = ""


def sound_csv(rng: random.Random) -> bytes:
    """A table as csv writes it, or, where that is the same table, with quotes inside unquoted fields."""
    width, height = rng.randint(2, 5), rng.randint(1, 40)
    rows = [[f"i{k}", *(rng.choice(WORDS) for _ in range(width - 1))] for k in range(height)]
    if rng.random() < 0.3:
        rows = [[re.sub(r"[,\n]", " ", cell) for cell in row] for row in rows]
        lines = [",".join(row) for row in rows]
        return "\n".join([",".join(_names(width)), *lines, ""]).encode()
    stream = io.StringIO()
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    ends = rng.choice(["\n", "\r\n"])
    csv.writer(stream, quoting=quoting, lineterminator=ends).writerows([_names(width), *rows])
    return stream.getvalue().encode()


def sound_json(rng: random.Random) -> bytes:
    """A table of text and numbers, one object a line."""
    width, ascii_only = rng.randint(2, 5), rng.random() < 0.5
    rows = [
        {
            name: (rng.choice([k, -k, 2**53 + k]) if name == "c1" else f"{rng.choice(WORDS)}{k}")
            for name in _names(width)
        }
        for k in range(rng.randint(1, 40))
    ]
    return "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows).encode()


def _names(width: int) -> list[str]:
    return [f"c{k}" for k in range(width)]


def _at(rng: random.Random, data: bytes, cut: int, put: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + put + data[place + cut :]


def drop_quote(rng: random.Random, data: bytes) -> bytes:
    """One of the quotes, if there is one."""
    places = [found.start() for found in re.finditer(b'"', data)] or [0]
    place = rng.choice(places)
    return data[:place] + data[place + 1 :]


def put_at_field(rng: random.Random, data: bytes) -> bytes:
    """A quote where a field begins or ends."""
    places = [found.start() for found in re.finditer(rb"[,\n]", data)] or [0]
    place = rng.choice(places) + rng.randint(0, 1)
    return data[:place] + b'"' + data[place:]


def swap_lines(rng: random.Random, data: bytes) -> bytes:
    """Two physical lines, wherever they belong."""
    lines = data.splitlines(keepends=True)
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def put_token(rng: random.Random, data: bytes) -> bytes:
    """A value of JSON, or almost, instead of a value."""
    places = list(re.finditer(rb'(?<=: )("[^"\\]*"|-?\d+)(?=[,}])|(?<=,)[^,"\n]*(?=[,\n])', data))
    if not places:
        return data
    found = rng.choice(places)
    return data[: found.start()] + rng.choice(TOKENS).encode() + data[found.end() :]


def wide(rng: random.Random, data: bytes) -> bytes:
    """One line of many fields: below, at and above what is read."""
    names = [f"k{k}" for k in range(rng.choice([100, 4096, 4097, 50_000]))]
    if data.startswith(b"{"):
        return data + json.dumps(dict.fromkeys(names, 1)).encode() + b"\n"
    return (",".join(names) + "\n" + ",".join("1" for _ in names) + "\n").encode()


def long_field(rng: random.Random, data: bytes) -> bytes:
    """Longer than csv reads by default; now and then longer than is read at all."""
    size = rng.choice([131_071, 131_073, 1_000_000, 1_000_000, 1 << 24])
    return _at(rng, data, 0, b"x" * size)


CHANGES: dict[str, Change] = {
    "nothing": lambda rng, data: data,
    "a byte lost": lambda rng, data: _at(rng, data, 1, b""),
    "a byte changed": lambda rng, data: _at(rng, data, 1, bytes([rng.randrange(256)])),
    "an odd character put in": lambda rng, data: _at(rng, data, 0, rng.choice(ODD).encode()),
    "a quote lost": drop_quote,
    "a quote put at a field": put_at_field,
    "a value changed": put_token,
    "the end cut off": lambda rng, data: data[: rng.randrange(len(data) + 1)],
    "lines changed about": swap_lines,
    "blank lines": lambda rng, data: data.replace(
        b"\n", rng.choice([b"\n\n", b"\r\n", b"\n \n"]), rng.randint(1, 3)
    ),
    "line ends of old Macs": lambda rng, data: data.replace(b"\r\n", b"\n").replace(b"\n", b"\r"),
    "Latin-1": lambda rng, data: data.decode().encode("latin-1", "replace"),
    "UTF-16": lambda rng, data: data.decode().encode(rng.choice(["utf-16", "utf-16-le", "utf-16-be"])),
    "a byte order mark": lambda rng, data: b"\xef\xbb\xbf" + data,
    "many columns": wide,
    "a long field": long_field,
}


def run_case(seed: int, number: int, folder: str) -> Outcome:
    """Make, read and judge one file."""
    rng = random.Random(f"{seed}/{number}")
    if rng.random() < 0.1:
        return order_case(rng, folder)
    kind = rng.choice([".csv", ".csv", ".jsonl"])
    change = rng.choices(
        list(CHANGES), [1 if name in ("many columns", "a long field") else 4 for name in CHANGES]
    )[0]
    data = CHANGES[change](rng, (sound_csv if kind == ".csv" else sound_json)(rng))
    packed = rng.random() < 0.2
    path = Path(folder) / f"case{number}{kind}{'.gz' if packed else ''}"
    cut = packed and rng.random() < 0.1
    path.write_bytes((gzip.compress(data, 1)[:-9] if cut else gzip.compress(data, 1)) if packed else data)
    expected = Fault(None) if cut else (plain_csv if kind == ".csv" else plain_json_lines)(data)
    try:
        return judge(change, path, expected)
    finally:
        path.unlink()


def order_case(rng: random.Random, folder: str) -> Outcome:
    """Interactions ordered by dates or numbers: in the order that was written, or refused with a line."""
    from grasp_bench.core.errors import DataError
    from grasp_bench.data.interactions import interactions_of
    from grasp_bench.data.readers import read_table
    from grasp_bench.spec.dataset import Columns

    written = rng.choice(list(ORDERS))
    form, sure = ORDERS[written]
    values = [rng.randrange(2**31) for _ in range(rng.randint(2, 30))]
    path = Path(folder) / "order.csv"
    path.write_text("user_id,item_id,timestamp\n" + "".join(f"u,i,{form(value)}\n" for value in values))
    try:
        found = interactions_of(read_table(path), Columns()).frame["order"].to_list()
    except DataError as error:
        clear = re.search(r"\.csv:\d+: ", error.message) and error.hint
        return Outcome(written, "refused" if clear and not sure else "misbehaved", error.message)
    except BaseException:
        return Outcome(written, "misbehaved", traceback.format_exc(limit=-3))
    same = _places(values) == _places(found)
    return Outcome(written, "read" if same else "misbehaved", f"{values[:3]} read as {found[:3]}")


def _places(values: Sequence[Any]) -> list[int]:
    """The rank of each value among the different ones."""
    order = {value: place for place, value in enumerate(sorted(set(values)))}
    return [order[value] for value in values]


def _time(form: str) -> Callable[[int], str]:
    return lambda value: datetime.fromtimestamp(value, UTC).strftime(form)


# How a time is written, and whether it must be read: False where it may be refused.
ORDERS: dict[str, tuple[Callable[[int], str], bool]] = {
    "order: seconds": (str, True),
    "order: beyond 2^63": (lambda value: str(2**63 + value), False),
    "order: 2^53, some fractions": (lambda value: f"{2**53 + value}{'.0' if value % 2 else ''}", False),
    "order: ISO": (_time("%Y-%m-%dT%H:%M:%S"), True),
    "order: day/month/year": (_time("%d/%m/%Y %H:%M:%S"), False),
    "order: month/day/year": (_time("%m/%d/%Y %H:%M:%S"), False),
    "order: month-day-year": (_time("%m-%d-%Y %H:%M:%S"), False),
    "order: day.month.year": (_time("%d.%m.%Y %H:%M:%S"), True),
}


def judge(change: str, path: Path, expected: Rows | Fault) -> Outcome:
    """Compare what the project makes of a file with what it should."""
    import polars as pl

    from grasp_bench.core.errors import DataError
    from grasp_bench.data.readers import read_table

    try:
        frame = read_table(path).frame
    except DataError as error:
        return Outcome(change, *_judge_error(error.message, error.hint, expected))
    except BaseException:
        return Outcome(change, "misbehaved", traceback.format_exc(limit=-3))
    if isinstance(expected, Fault):
        return Outcome(change, "misbehaved", f"read, where line {expected.line} is wrong")
    if not set(expected.names) <= set(frame.columns):
        return Outcome(change, "misbehaved", f"columns {frame.columns[:9]}, expected {expected.names[:9]}")
    cells = frame.select(expected.names)
    if ".csv" in path.suffixes:  # an empty cell in quotes may be text or nothing
        cells = cells.with_columns(pl.col(pl.String).replace("", None))
    found = [row for row in cells.rows() if any(cell is not None for cell in row)]
    if found != expected.rows:
        return Outcome(change, "misbehaved", f"{len(found)} rows {found[:3]}, expected {len(expected.rows)}")
    return Outcome(change, "read")


def _judge_error(message: str, hint: str | None, expected: Rows | Fault) -> tuple[str, str]:
    if isinstance(expected, Rows):
        return "misbehaved", f"refused, and is sound: {message[-200:]}"
    if any(words in message for words in SAYING_NOTHING) or not hint:
        return "misbehaved", f"unclear: {message[-200:]}"
    line = re.search(r"\.(?:csv|jsonl)(?:\.gz)?:(\d+): ", message)
    if line is None:
        known = any(words in message for words in NO_LINE)
        return ("refused", "without a line") if known else ("misbehaved", f"no line: {message[-200:]}")
    if expected.line is not None and int(line[1]) != expected.line:
        return "misbehaved", f"line {line[1]}, expected {expected.line}: {message[-200:]}"
    return "refused", "with its line"


def main() -> int:
    """Run all cases, print how many ended how, and return 1 if one misbehaved."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    outcomes = []
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        pool = ProcessPoolExecutor(1, mp_context=context)
        pool.submit(run_case, asked.seed, -1, folder).result()  # what is imported is not timed
        for number in range(asked.cases):
            try:
                outcome = pool.submit(run_case, asked.seed, number, folder).result(MOST_SECONDS)
            except (TimeoutError, BrokenProcessPool) as error:
                outcome = Outcome("?", "misbehaved", type(error).__name__)
                for process in (pool._processes or {}).values():
                    process.kill()
                pool = ProcessPoolExecutor(1, mp_context=context)
                pool.submit(run_case, asked.seed, -1, folder).result()
            if outcome.verdict == "misbehaved":
                print(f"case {number} ({outcome.change}): {outcome.detail}")
            outcomes.append(outcome)
        pool.shutdown()
    counts = Counter((each.change, each.verdict) for each in outcomes)
    print(f"{'change':28}{'read':>8}{'refused':>10}{'misbehaved':>12}")
    for change in sorted({each.change for each in outcomes}):
        print(f"{change:28}" + "".join(f"{counts[change, end]:{w}}" for end, w in ENDS.items()))
    totals = Counter(each.verdict for each in outcomes)
    print(f"{'all ' + str(len(outcomes)):28}" + "".join(f"{totals[end]:{w}}" for end, w in ENDS.items()))
    without = sum(each.detail == "without a line" for each in outcomes)
    print(f"refused without a line (empty or damaged as a whole): {without}")
    return 1 if totals["misbehaved"] else 0


ENDS = {"read": 8, "refused": 10, "misbehaved": 12}

if __name__ == "__main__":
    sys.exit(main())

"""Harm one data file of a small study at random, and run it whole: an error that names the file, or a board.

Harmed are interactions, items, users with attributes, and vectors with their ids. A case misbehaves when
it ends in a traceback, hangs (two minutes), is refused without the name of the file, or makes a board of
other interactions than a reader finds that goes by the character.

    python -m tests.campaign.data_files --cases 150 --seed 0
"""

from __future__ import annotations

import argparse
import csv
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from tuned_shop import ITEMS, USERS, write_shop

from grasp_bench.core.integrity import SIDECAR

from .plain_readers import Fault, plain_csv
from .specs import Worker

HANG = 120.0
SPEC = """
name: shop
dataset: {{source: {folder}, users: users.csv, protocol: {{negatives: 5}}}}
encoder: {{kind: precomputed, users: {folder}/users.npy, items: {folder}/vectors.parquet}}
index: {{kind: exact, num_neighbours: 2}}
model: {{backbone: sasrec, enhancer: grasp, embedding_dim: 8, max_len: 6}}
training: {{max_epochs: 1}}
seeds: [1]
controls: [popularity]
"""
FILES = ["interactions.csv", "items.csv", "users.csv", "users.npy", "users.ids.txt", "vectors.parquet"]
QUICK = ["--executor", "in_process", "--device", "cpu", "--log-format", "plain"]
PIECES = [
    b"\0", b'"', b'""', b",", b",,", b"\n", b"\r", b"\r\n\r\n", b"\xff\xfe", b"\xed\xa0\x80",
    b"\xef\xbb\xbf", b"NaN", b"-1", b"1e999", b"99999999999999999999", b"i0", b"u0", b"null",
    b"\x1b[31m", "\u202e".encode(), b"=1+1", b" " * 300,
]  # fmt: skip

Harm = Callable[[random.Random, bytes], bytes]


def put(rng: random.Random, data: bytes) -> bytes:
    """Something somewhere."""
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(PIECES) + data[place + rng.choice([0, 0, 1, 7]) :]


def flip(rng: random.Random, data: bytes) -> bytes:
    """A bit."""
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def cut(rng: random.Random, data: bytes) -> bytes:
    """The end, the beginning, or all of it."""
    place = rng.randrange(len(data))
    return rng.choice([data[:place], data[place:], b""])


def lines(rng: random.Random, data: bytes) -> bytes:
    """A line twice, away, in another place, or all in another order."""
    found = data.splitlines(keepends=True)
    one = found.pop(rng.randrange(len(found)))
    place = rng.randrange(len(found) + 1)
    mixed = rng.sample(found, len(found))
    return b"".join(rng.choice([[*found, one, one], found, [*found[:place], one, *found[place:]], mixed]))


def cells(rng: random.Random, data: bytes) -> bytes:
    """One cell of a line; of a header, the name of a column."""
    found = data.split(b"\n")
    line = rng.choice([0, rng.randrange(len(found))])
    parts = found[line].split(b",")
    parts[rng.randrange(len(parts))] = rng.choice([*PIECES, b"", *parts])
    found[line] = b",".join(parts)
    return b"\n".join(found)


def other_kind(rng: random.Random, data: bytes) -> bytes:
    """What another file holds."""
    return rng.choice(
        [b"PK\x03\x04" + data, b"\x1f\x8b" + data, b"\x93NUMPY" + data, b"{}\n", b"<html></html>\n"]
    )


HARMS: dict[str, Harm] = {
    "put": put, "flip": flip, "cut": cut, "lines": lines, "cells": cells, "other kind": other_kind,
}  # fmt: skip


def write_data(folder: Path) -> Path:
    """Write the sound study; returns its spec."""
    spec = write_shop(folder)
    items, users = [f"i{k}" for k in range(ITEMS)], [f"u{k}" for k in range(USERS)]
    pl.DataFrame({"id": items, "vector": np.load(folder / "items.npy").tolist()}).write_parquet(
        folder / "vectors.parquet"
    )
    with (folder / "items.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("item_id", "title"), *((item, f"Thing, number {item}") for item in items)]
        )
    with (folder / "users.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("user_id", "age"), *((user, 20 + k) for k, user in enumerate(users))])
    spec.write_text(SPEC.format(folder=folder))
    return spec


def interactions_in(data: bytes) -> set[tuple[Any, ...]] | None:
    """Pairs of user and item by the rules of CSV; None for a file that must be refused."""
    found = plain_csv(data)
    if isinstance(found, Fault) or not {"user_id", "item_id"} <= set(found.names):
        return None
    user, item = found.names.index("user_id"), found.names.index("item_id")
    return {(row[user], row[item]) for row in found.rows}


def judge(folder: Path, name: str, code: Any, fault: str | None, said: str) -> tuple[str, str | None]:
    """How a case ended, and what was wrong with that."""
    if fault is not None or "Traceback" in said:
        return "fault", fault or f"a traceback: {said[-400:]!r}"
    if code not in (0, None):
        told = name in said or Path(name).stem in said
        return "refused", None if told else f"exit code {code} does not name {name}: {said[-400:]!r}"
    if name != "interactions.csv":
        return "board", None
    expected = interactions_in((folder / name).read_bytes())
    if expected is None:
        return "board", "a board of a file that must be refused"
    (split,) = (sidecar.parent for sidecar in folder.glob(f"store/split/*/{SIDECAR}"))
    ids = [pl.read_parquet(split / f"{side}.parquet").to_series(0).to_list() for side in ("users", "items")]
    parts = [
        pl.read_parquet(split / f"{part}.parquet").select("user", "item")
        for part in ("train", "valid", "test")
    ]
    found = {(ids[0][user], ids[1][item]) for user, item in pl.concat(parts).rows()}
    return (
        "board",
        None if found <= expected else f"interactions that are not in the file: {found - expected}",
    )


def main() -> int:
    """Run the cases and print how they ended, by file and harm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    counts, faults = Counter[tuple[str, str]](), list[str]()
    with tempfile.TemporaryDirectory() as temporary:
        folder, worker = Path(temporary) / "data", Worker(HANG)
        for number in range(-1, asked.cases):  # the first is sound
            rng = random.Random(f"{asked.seed}/{number}")
            shutil.rmtree(folder, ignore_errors=True)
            spec = write_data(folder)
            name, harm = FILES[number % len(FILES)], rng.choice(sorted(HARMS))
            if number >= 0:
                (folder / name).write_bytes(HARMS[harm](rng, (folder / name).read_bytes()))
            places = {f"--{what}": str(folder / what) for what in ("store", "results", "leaderboard")}
            words = [*QUICK, *(word for place in places.items() for word in place)]
            code, fault, said, _ = worker.run(["run", str(spec), *words])
            end, wrong = judge(folder, name, code, fault, said)
            if number < 0:
                assert end == "board", said
                continue
            counts[name, end] += 1
            if wrong is not None:
                faults.append(f"case {number} ({harm} of {name}): {wrong}")
                print(faults[-1], flush=True)
        worker.close()
    print(f"{'file':20}{'board':>8}{'refused':>9}{'fault':>7}")
    for name in FILES:
        print(f"{name:20}{counts[name, 'board']:8}{counts[name, 'refused']:9}{counts[name, 'fault']:7}")
    print(f"{asked.cases} files, seed {asked.seed}, {len(faults)} misbehave")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())

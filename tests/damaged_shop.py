"""A small finished study, and harm that comes to files: bits flip, disks fill, people mix folders up."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from small_shop import ITEMS, USERS, open_shop
from typer.testing import CliRunner, Result

from grasp_bench.cli.app import app
from grasp_bench.core.integrity import SIDECAR

SPEC = """\
name: damaged
dataset: {{source: {data}, protocol: {{negatives: 5}}}}
encoder: {{kind: precomputed, users: {data}/users_vectors.parquet, items: {data}/items_vectors.parquet}}
index: {{kind: exact, num_neighbours: 3}}
model: {{backbone: sasrec, embedding_dim: 8, max_len: 10}}
training: {{max_epochs: 1}}
seeds: [1]
controls: [popularity]
compare: {{model.enhancer: [none, grasp]}}
hypotheses: [{{better: grasp, than: none, metric: NDCG@10, protocol: full}}]
"""
TOLD_OF_THE_MAKING = ("key", "provenance")  # a cell that is made again took other seconds


@dataclass(frozen=True)
class Place:
    """A spec, and where its store, results and boards lie."""

    spec: Path
    folder: Path

    @property
    def name(self) -> str:
        return self.spec.stem

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def run(self) -> Result:
        """`grasp-bench run`, in this process."""
        places = ["--store", self.store, "--results", self.results, "--leaderboard", self.folder / "boards"]
        quick = ["--executor", "in_process", "--device", "cpu", "--log-format", "plain"]
        return invoke("run", self.spec, *places, *quick)

    def board(self) -> Result:
        """`grasp-bench leaderboard`, as JSON."""
        return invoke("leaderboard", self.name, "--results", self.results, "--format", "json")

    def copy(self, to: Path) -> Place:
        """The same study elsewhere, to be harmed."""
        return Place(self.spec, Path(shutil.copytree(self.folder, to)))

    def artefacts(self) -> dict[Path, dict[str, Any]]:
        """Folders of finished artefacts, and their sidecars."""
        return {path.parent: json.loads(path.read_text()) for path in self.store.glob(f"*/*/{SIDECAR}")}

    def forget_what_follows(self, artefact: Path) -> None:
        """Delete results, and every artefact that was made from this one: `run` has to read it again."""
        sidecars = self.artefacts()
        gone = {sidecars[artefact]["hash"]}
        while (
            more := {
                sidecar["hash"] for sidecar in sidecars.values() if gone & set(sidecar["inputs"].values())
            }
            - gone
        ):
            gone |= more
        for folder, sidecar in sidecars.items():
            if folder != artefact and sidecar["hash"] in gone:
                shutil.rmtree(folder)
        shutil.rmtree(self.results)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def finished_study(folder: Path) -> Place:
    """Write data and spec, and run it."""
    data = folder / "data"
    open_shop(data)
    rng = np.random.default_rng(3)
    for side, prefix, count in (("users", "u", USERS), ("items", "i", ITEMS)):
        vectors = rng.normal(size=(count, 6)).tolist()
        frame = pl.DataFrame({"id": [f"{prefix}{k}" for k in range(count)], "vector": vectors})
        frame.write_parquet(data / f"{side}_vectors.parquet")
    spec = folder / "damaged.yaml"
    spec.write_text(SPEC.format(data=data))
    place = Place(spec, folder / "whole")
    done = place.run()
    assert done.exit_code == 0, done.output
    return place


def figures(board: Result) -> Any:
    """What a printed board says, but for how long cells took to make."""
    assert board.exit_code == 0, board.output
    return _without_making(json.loads(board.stdout))


def _without_making(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_making(each) for key, each in value.items() if key not in TOLD_OF_THE_MAKING}
    return [_without_making(each) for each in value] if isinstance(value, list) else value


def flip(path: Path, rng: random.Random) -> None:
    """Change one bit."""
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def change_digit(path: Path, rng: random.Random) -> None:
    """Change one digit of a text file; of another, one byte."""
    content = bytearray(path.read_bytes())
    digits = [k for k, byte in enumerate(content) if chr(byte).isdigit()]
    if path.suffix not in (".json", ".jsonl") or not digits:
        return flip(path, rng)
    place = rng.choice(digits)
    content[place] = ord(str((int(chr(content[place])) + rng.randint(1, 9)) % 10))
    path.write_bytes(content)


def truncate(path: Path, rng: random.Random) -> None:
    """Lose the end."""
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def empty(path: Path, rng: random.Random) -> None:
    """Lose all but the name."""
    path.write_bytes(b"")


def delete(path: Path, rng: random.Random) -> None:
    """Lose the file."""
    path.unlink()


def swap(path: Path, rng: random.Random) -> None:
    """Put a file of the same name or kind in its place, that belongs to something else."""
    root = path.parent.parent
    others = [p for p in sorted(root.rglob(path.name)) if p.read_bytes() != path.read_bytes()]
    others = others or [p for p in sorted(root.parent.rglob(f"*{path.suffix}")) if p.name != path.name]
    path.write_bytes(rng.choice(others).read_bytes())


HARM: dict[str, Callable[[Path, random.Random], None]] = {
    "flip": flip,
    "digit": change_digit,
    "truncate": truncate,
    "empty": empty,
    "delete": delete,
    "swap": swap,
}

"""A whole study on a few made-up users and items, its texts and vectors asked of the test server."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from llm_server.launch import Running

USERS, ITEMS = 24, 30
CONCURRENCY = 4
KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE")  # what tests set themselves, if at all


def write_study(folder: Path, server: Running, **text: Mapping[str, Any]) -> None:
    """Write `study.yaml`, `data/` and `users.csv`; `text` holds more keys for `users` or `items`."""
    draw = random.Random(8)
    names = [f"item{k}" for k in range(ITEMS)]
    items = ([name, f"Balm number {k}", f"Maker-{k:04d}"] for k, name in enumerate(names))
    _write(folder / "data" / "items.csv", ("item_id", "title", "brand"), items)
    clicks = (
        [f"user{u}", item, when]
        for u in range(USERS)
        for when, item in enumerate(draw.sample(names, draw.randint(5, 9)))
    )
    _write(folder / "data" / "interactions.csv", ("user_id", "item_id", "timestamp"), clicks)
    people = ([f"user{u}", 20 + u, f"person{u}@private.example"] for u in range(USERS))
    _write(folder / "users.csv", ("user_id", "age", "email"), people)
    service = {"api_base": server.address, "concurrency": CONCURRENCY, "timeout_seconds": 10}
    chat = {"provider": "litellm", "model": "openai/test", **service}
    spec = {
        "name": "planted",
        "dataset": {
            "source": str(folder / "data"),
            "users": str(folder / "users.csv"),
            "protocol": {"negatives": 10},
        },
        "text": {side: {**chat, **text.get(side, {})} for side in ("users", "items")},
        "encoder": {
            "kind": "litellm", "model": "openai/test-vectors", "dimensions": 8, "batch_size": 4, **service,
        },
        "index": {"kind": "exact", "num_neighbours": 3},
        "model": {"enhancer": "grasp", "embedding_dim": 8, "max_len": 10},
        "training": {"max_epochs": 1},
        "controls": [],
    }  # fmt: skip
    (folder / "study.yaml").write_text(yaml.safe_dump(spec))


def command(*arguments: str) -> list[str]:
    """`grasp-bench run` of the study, to be run in its folder."""
    return [
        sys.executable,
        "-m",
        "grasp_bench",
        "run",
        "study.yaml",
        "--device",
        "cpu",
        "--workers",
        "1",
        *arguments,
    ]


def environment(**variables: str) -> dict[str, str]:
    """This process's, without keys of its own."""
    return {name: value for name, value in os.environ.items() if name not in KEYS} | variables


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the study to its end; variables go into its environment."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )


def bodies(server: Running) -> list[dict[str, Any]]:
    """What a server that keeps bodies was sent."""
    return [json.loads(event["text"]) for event in server.counts().of("received")]


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])

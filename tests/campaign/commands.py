"""Commands of a tiny shop, each in a process of its own, and the bits that they must end with."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tuned_shop import write_shop

from grasp_bench.core.integrity import SIDECAR

MOST_SECONDS = 300
TIMED = "log.jsonl"  # has the seconds of each epoch
HERE = ["--device", "cpu", "--workers", "1", "--log-format", "plain"]
SHOP = ["shop.yaml", *HERE, "--set", "training.batch_size=2", "--set", "training.max_epochs=12"]
USERS, ITEMS, EACH = 3_000, 400, 6  # of the raw files


@dataclass(frozen=True)
class Command:
    """Arguments of grasp-bench, what it needs beforehand, and the results by name, as bits or checksums."""

    arguments: tuple[str, ...]
    prepare: Callable[[Path], object]
    ends: Callable[[Path], Mapping[str, object]]

    def start(self, folder: Path, *prefix: str) -> subprocess.Popen[str]:
        """Start it in a session of its own, so that it and its workers can be killed together."""
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": str(root), "GRASP_BENCH_DATA": "", "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [*prefix, sys.executable, "-m", "grasp_bench", *self.arguments],
            cwd=folder, env=environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def finish(self, folder: Path, *prefix: str) -> tuple[int, str]:
        """Let it end; exit code and output."""
        process = self.start(folder, *prefix)
        said, _ = process.communicate(timeout=MOST_SECONDS)
        return process.returncode, said


def write_raw(folder: Path) -> None:
    """Raw files of amazon-fashion, as its publisher packs them."""
    raw = folder / "raw"
    raw.mkdir(parents=True)
    reviews = (
        {"reviewerID": f"A{u}", "asin": f"B{(u * 7 + k) % ITEMS}", "overall": 5.0, "unixReviewTime": k}
        for u in range(USERS)
        for k in range(EACH)
    )
    products = ({"asin": f"B{item}", "title": f"Thing number {item}"} for item in range(ITEMS))
    for name, records in (("AMAZON_FASHION", reviews), ("meta_AMAZON_FASHION", products)):
        text = "".join(json.dumps(record) + "\n" for record in records)
        (raw / f"{name}.json.gz").write_bytes(gzip.compress(text.encode()))


def in_store(folder: Path) -> dict[str, object]:
    """Checksums of every file of every artefact, and the published figures."""
    found: dict[str, object] = {}
    for path in folder.glob(f".grasp_bench/*/*/{SIDECAR}"):
        files = json.loads(path.read_text())["files"]
        found |= {f"{path.parent.name}/{name}": crc for name, crc in files.items() if name != TIMED}
    for path in folder.glob("results/*/*/*"):
        if path.name in ("metrics.json", "ranks.parquet"):
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def of_search(folder: Path) -> dict[str, object]:
    """The same, and every trial's value by its parameters."""
    told = json.loads((folder / "results" / "shop" / "tuning.json").read_text())
    return in_store(folder) | {str(trial["params"]): trial["value"] for trial in told["trials"]}


def of_prepared(folder: Path) -> dict[str, object]:
    """The files of a prepared dataset."""
    return {path.name: path.read_bytes() for path in folder.glob("data/amazon-fashion/*.csv")}


COMMANDS = {
    "run": Command(("run", *SHOP), write_shop, in_store),
    "tune": Command(("tune", *SHOP, "--set", "seeds=[1]"), write_shop, of_search),
    "prepare": Command(("data", "prepare", "amazon-fashion", "--raw", "raw"), write_raw, of_prepared),
}

"""Large specs and large boards: `plan` and `validate` of 5,000 cells, boards of 45 and of 300 cells.

    python benchmarks/load.py [--against FOLDER] [--limit 200]

Each figure is the processor's time (user and system, on one thread) of one command in a process of its own.
A board is made once without its cache and looked at again with it. `--against` names another checkout, which
is measured beside this one, command by command; a command that reaches `--limit` seconds of processor time is
stopped, and its figure is null. Specs on amazon-beauty are left out where GRASP_BENCH_DATA does not hold it.
Prints a JSON line for each command.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests"))

from results_builder import Results  # noqa: E402

BEAUTY = Path(os.environ.get("GRASP_BENCH_DATA", "data")).absolute() / "amazon-beauty"
DEMO = "dataset: {source: demo}\n"
REAL = f"""\
dataset: {{source: amazon-beauty}}
encoder:
  kind: precomputed
  users: {BEAUTY}/embeddings-minilm/users.npy
  items: {BEAUTY}/embeddings-minilm/items.npy
"""
ABLATIONS = "seeds: [1]\nmodel: {enhancer: grasp}\nablations:\n" + "".join(
    f"  a{k}: {{training.lr: {k + 1}.0e-6}}\n" for k in range(5_000)
)
CROSSED = (
    f"seeds: {[*range(10)]}\n"
    f"compare: {{model.enhancer: [grasp, llmesr], index.num_neighbours: {[*range(1, 26)]}}}\n"
    "ablations:\n" + "".join(f"  a{k}: {{training.lr: {k + 1}.0e-4}}\n" for k in range(9))
)


def specs() -> Iterator[tuple[str, str]]:
    """Name and text of specs that make 5,000 cells and a few controls."""
    data = {"demo": DEMO, **({"amazon-beauty": REAL} if BEAUTY.is_dir() else {})}
    for source, section in data.items():
        yield f"5,000 ablations, {source}", f"name: ablations\n{section}{ABLATIONS}"
        yield (
            f"2 methods × 25 values × 10 ablations × 10 seeds, {source}",
            f"name: crossed\n{section}{CROSSED}",
        )


def boards(folder: Path) -> Iterator[tuple[str, Path]]:
    """Results of 45 and 300 cells: methods that differ a little, on users who are easy or hard for all."""
    rng = np.random.default_rng(7)
    shapes = {
        "15 methods × 3 seeds": (15, (0.0,), 3, 22_363),
        "300 methods": (300, (0.0,), 1, 20_000),
        "100 methods × 3 seeds": (100, (0.0,), 3, 20_000),
        "20 methods × 5 rates of noise × 3 seeds": (20, (0.0, 0.1, 0.2, 0.3, 0.4), 3, 20_000),
    }
    for name, (methods, rates, seeds, users) in shapes.items():
        results, hardness = Results(folder / str(methods)), rng.normal(4.5, 1.8, users)
        for k, rate, seed in np.ndindex(methods, len(rates), seeds):
            log_rank = hardness + rng.normal(0, 1, users) - 0.9 * k / methods + rates[rate]
            noise = {"rate": rates[rate], "kind": "permute", "side": "both", "when": "before_retrieval"}
            results.cell(
                f"c{k}-{rate}-s{seed}", np.clip(np.exp(log_rank), 1, 12_000).astype(int), seed=seed,
                enhancer="grasp", variant={"index.num_neighbours": k}, noise=noise if rates[rate] else None,
            )  # fmt: skip
        results.study()
        yield f"{name}, {users:,} users", results.folder


def seconds(arguments: Sequence[str], code: Path, limit: int) -> float | None:
    """Processor time of a command of the checkout in `code`; None when it reached the limit."""
    environment = os.environ | {"PYTHONPATH": str(code), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "grasp_bench", *arguments], env=environment, cwd=code,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5)),
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode < 0:
        return None
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)


def main() -> None:
    """Print a line for each command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout, measured beside this one")
    parser.add_argument("--limit", type=int, default=200, help="seconds of processor time for one command")
    arguments = parser.parse_args()
    codes = {"seconds": REPOSITORY}
    if arguments.against is not None:
        codes["seconds_against"] = arguments.against.resolve()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        spec = folder / "spec.yaml"
        for name, text in specs():
            spec.write_text(text, encoding="utf-8")
            for command in (["validate", str(spec)], ["plan", str(spec), "--store", str(folder / "store")]):
                took = {key: seconds(command, code, arguments.limit) for key, code in codes.items()}
                tell(name, command[0], took, arguments.limit)
        for name, results in boards(folder / "results"):
            command, first, again = ["leaderboard", str(results)], {}, {}
            for key, code in codes.items():
                (results / "board.json").unlink(missing_ok=True)
                first[key] = seconds(command, code, arguments.limit)
                again[key] = None if first[key] is None else seconds(command, code, arguments.limit)
            tell(name, "leaderboard", first, arguments.limit)
            tell(name, "leaderboard again", again, arguments.limit)


def tell(what: str, command: str, took: dict[str, float | None], limit: int) -> None:
    """Print one line; null is a command that was stopped at the limit."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    line = {"benchmark": "load", "what": what, "command": command, **took, "limit": limit, "machine": machine}
    print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()

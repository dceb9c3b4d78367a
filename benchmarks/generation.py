"""Text generation against a bare loop of `litellm.acompletion`: rate, CPU a call, and memory by entities.

    python benchmarks/generation.py rate [--calls 1920] [--rounds 3] [--jitter 0.2]
    python benchmarks/generation.py memory [--asked 10000 100000] [--kept 1000000]

`rate`: the test server answers after 1 s, 64 requests are in flight, so that 64 a second are ideal. Ours is
the text provider's whole way: prompts filled, keys, ledger, budget, answers judged. The bare loop has the
prompts ready and a semaphore. Both run in one process, in turns, with a warm-up each; CPU is that of the
process with all its threads. Where every answer takes the same time, requests that left together are
answered together, and read together at less CPU a call; `--jitter` seconds more or less end that, as real
services do. `memory`: growth of the peak resident size while texts are made, each count in a process of its
own, from before the first prompt; `--asked` entities are answered by a server without latency, `--kept` ones
by a ledger that holds their answers. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from llm_server.launch import launch

from grasp_bench.services.client import open_litellm
from grasp_bench.services.ledger import Answer
from grasp_bench.services.ledger_writer import LedgerWriter, Transaction
from grasp_bench.services.requests import ServiceRequest
from grasp_bench.text.generated import prompt_requests
from grasp_bench.text.litellm_settings import LiteLLMText
from grasp_bench.text.providers import Account, Entities, write_texts

CONCURRENCY = 64
LATENCY = 1.0
WARM_UP = 2 * CONCURRENCY
WORDS = ("rose", "oil", "night", "balm", "silk", "clay", "mint", "salt", "pearl", "honey", "amber", "cedar")
AT_ONCE = 512  # answers that go into the ledger together


def some_items(count: int, seed: int) -> Entities:
    """A catalogue of made-up items, all different."""
    rng = np.random.default_rng(seed)
    words = pl.Series(WORDS)
    columns = {
        name: pl.concat_str(
            [words.gather(rng.integers(len(WORDS), size=count)) for _ in range(length)], separator=" "
        )
        for name, length in (("title", 6), ("brand", 2), ("feature", 12), ("description", 24))
    }
    numbers = pl.Series("item_id", range(count)).cast(pl.String)
    items = pl.select(item_id=f"s{seed}-" + numbers, **columns)
    items = items.with_columns(title=pl.col("title") + " " + pl.col("item_id"))
    nobody = np.zeros(1, dtype=np.int64)
    return Entities("items", items["item_id"], items, nobody[:0], nobody)


def source_at(address: str) -> LiteLLMText:
    """A provider with limits set, so that its budget has something to count."""
    return LiteLLMText(
        model="openai/test", api_base=address, concurrency=CONCURRENCY, template="beauty_item",
        max_tokens=256, max_tokens_total=10**12,
    )  # fmt: skip


def ours(source: LiteLLMText, subjects: Entities, ledger: Path) -> None:
    """Make every text, and let each go when it has been seen."""
    for _ in write_texts(source, subjects, Account(ledger, "benchmark")).texts:
        pass


async def bare(source: LiteLLMText, asked: Sequence[ServiceRequest]) -> None:
    """What one would write without this project; every answer is dropped."""
    litellm = open_litellm()
    free = asyncio.Semaphore(CONCURRENCY)

    async def one(ask: ServiceRequest) -> None:
        async with free:
            await litellm.acompletion(
                model=source.model, api_base=source.api_base, api_key="none", timeout=60, num_retries=0,
                **ask.arguments,
            )  # fmt: skip

    await asyncio.gather(*(one(ask) for ask in asked))


def measure_rate(calls: int, rounds: int, jitter: float) -> dict[str, Any]:
    """Calls a second and CPU a call of both sides; medians over rounds, and every round's figures."""
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "bare": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        launch(Path(folder), latency=LATENCY, jitter=jitter) as server,
    ):
        source, ledger = source_at(server.address), Path(folder) / "ledger.sqlite"
        for turn in range(-1, rounds):  # the first warms up and does not count
            subjects = some_items(calls if turn >= 0 else WARM_UP, seed=turn + 1)
            asked = list(prompt_requests(source, subjects))
            taken = {
                "ours": _seconds(partial(ours, source, subjects, ledger)),
                "bare": _seconds(lambda asked=asked: asyncio.run(bare(source, asked))),
            }
            for side, (wall, cpu) in taken.items() if turn >= 0 else ():
                found[side].append((calls / wall, 1000 * cpu / calls))
        counts = server.counts()
        at = {
            kind: {event["n"]: event["at"] for event in counts.of(kind)} for kind in ("received", "answered")
        }
        slow = np.median([at["answered"][n] - at["received"][n] for n in at["answered"]])
    ideal = CONCURRENCY / LATENCY
    middle = {side: np.median(np.array(figures), axis=0) for side, figures in found.items()}
    return {
        "share_of_ideal": round(float(middle["ours"][0]) / ideal, 3),
        "cpu_ratio": round(float(middle["ours"][1] / middle["bare"][1]), 2),
        "ideal_per_s": ideal,
        **{
            side: {
                "per_s": round(float(middle[side][0]), 1),
                "cpu_ms": round(float(middle[side][1]), 2),
                "rounds": [[round(rate, 1), round(cpu, 2)] for rate, cpu in figures],
            }
            for side, figures in found.items()
        },
        "server_s": round(float(slow), 4),
        "peak_in_flight": counts.peak_in_flight,
        "calls": calls,
        "jitter_s": jitter,
    }


def _seconds(work: Callable[[], None]) -> tuple[float, float]:
    """Wall-clock and CPU seconds, all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure_memory(asked: Sequence[int], kept: Sequence[int]) -> dict[str, Any]:
    """Growth in MiB by number of entities, asked of a server or found in a ledger."""
    return {
        "asked": [_in_a_process("asked", count) for count in asked],
        "kept": [_in_a_process("kept", count) for count in kept],
    }


def _in_a_process(way: str, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, launch(Path(folder)) as server:
        here = [sys.executable, str(Path(__file__)), "grow", server.address, folder, way, str(count)]
        if way == "kept":
            subprocess.run([*here, "fill"], check=True)
        return json.loads(subprocess.run([*here, "measure"], check=True, capture_output=True).stdout)


def fill(source: LiteLLMText, subjects: Entities, ledger: Path) -> None:
    """Put an answer to every prompt into the ledger, as the provider's own writer does."""
    journal = LedgerWriter(ledger)

    async def write() -> None:
        asks = iter(prompt_requests(source, subjects))
        while block := list(islice(asks, AT_ONCE)):
            await asyncio.gather(*(journal.commit(Transaction("benchmark", _answers(ask))) for ask in block))

    asyncio.run(write())
    journal.close()


def _answers(ask: ServiceRequest) -> list[tuple[bytes, Answer]]:
    return [(ask.keys[0], Answer(f"Kept words about {ask.about}. ".encode() * 10, "stop", 200, 60, None))]


def grow(source: LiteLLMText, folder: Path, way: str, count: int) -> dict[str, Any]:
    """Peak resident size while texts are made, less that before; the subjects are there already."""
    ours(source, some_items(WARM_UP, seed=9), folder / "warm_up.sqlite")
    subjects = some_items(count, seed=1)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before, started = _status_mib("VmRSS"), time.perf_counter()
    ours(source, subjects, folder / "ledger.sqlite")
    return {
        "entities": count,
        "growth_mib": round(_status_mib("VmHWM") - before, 1),
        "before_mib": round(before),
        "seconds": round(time.perf_counter() - started),
    }


def _status_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def go_first() -> bool:
    """Go before other work of a shared machine, where that is allowed (as root), the test server too."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        return False
    return True


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    rate = parts.add_parser("rate")
    rate.add_argument("--calls", type=int, default=30 * CONCURRENCY)
    rate.add_argument("--rounds", type=int, default=3)
    rate.add_argument("--jitter", type=float, default=0.0)
    memory = parts.add_parser("memory")
    memory.add_argument("--asked", type=int, nargs="*", default=[10_000, 100_000])
    memory.add_argument("--kept", type=int, nargs="*", default=[10_000, 1_000_000])
    child = parts.add_parser("grow")
    for name in ("address", "folder", "way", "count", "step"):
        child.add_argument(name)
    args = parser.parse_args()
    if args.part == "grow":
        source, folder, count = source_at(args.address), Path(args.folder), int(args.count)
        if args.step == "fill":
            fill(source, some_items(count, seed=1), folder / "ledger.sqlite")
        else:
            print(json.dumps(grow(source, folder, args.way, count)))
        return
    load = os.getloadavg()[0]
    first = args.part == "rate" and go_first()
    found = (
        measure_rate(args.calls, args.rounds, args.jitter)
        if args.part == "rate"
        else measure_memory(args.asked, args.kept)
    )
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load before {load:.1f}"
    if first:
        machine += ", going before other work"
    print(json.dumps({"benchmark": f"generation {args.part}", **found, "machine": machine}))


if __name__ == "__main__":
    main()

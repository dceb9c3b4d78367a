"""Texts per second of a language model in this process: many in flight, one after the other, and llama.cpp.

    python benchmarks/local_texts.py [--peer-python PATH] > benchmarks/results/local_texts.json

SmolLM2 (`local/smollm2`) writes at most 96 tokens about items of amazon-beauty, greedily, on one core. The
peer is `llama_cpp.server` with the same GGUF, which answers one request after the other; PATH is a Python
that has it (`pip install 'llama-cpp-python[server]'`).

All sides are bound to one core and take turns, so that other work on the machine slows each of them alike.
`cpu` counts seconds of the processor: where the machine is busy they say more than the clock. Texts are
counted in full flow: before the first turn as many have been written as are in flight.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import polars as pl
import torch

from grasp_bench.core.machine import describe
from grasp_bench.services.local_batches import Batch
from grasp_bench.services.local_files import locate_model
from grasp_bench.services.local_model import LocalModel, Prompt, Written

DATA = Path(os.environ.get("GRASP_BENCH_DATA", "../shared/data"))
SYSTEM = "Write two sentences about what the product is for and who would like it."
MOST, TEXTS, IN_FLIGHT = 96, 64, 32
TURN = 5.0  # seconds of the processor
PORT = 18217


class Side(ABC):
    """A way of writing; `work` does a little of it, and counts what is finished."""

    texts = read = wrote = 0
    clock = cpu = 0.0

    def warm(self, texts: int) -> None:
        """Write so many texts that do not count."""
        while self.texts < texts:
            self.work()
        self.texts = self.read = self.wrote = 0

    @abstractmethod
    def work(self) -> None:
        """Write a token or a text."""

    def cpu_seconds(self) -> float:
        """Seconds of the processor that this side and the caller have used."""
        return time.process_time()

    def count(self, read: int, wrote: int) -> None:
        """Count a text with so many tokens of prompt and answer."""
        self.texts, self.read, self.wrote = self.texts + 1, self.read + read, self.wrote + wrote

    def turn(self) -> None:
        """Work for a while; finish a text that cannot be paused."""
        clock, cpu = time.perf_counter(), self.cpu_seconds()
        while self.cpu_seconds() - cpu < TURN and self.texts < TEXTS:
            self.work()
        self.clock += time.perf_counter() - clock
        self.cpu += self.cpu_seconds() - cpu

    def said(self) -> dict[str, float]:
        """What was counted."""
        return {
            "texts": self.texts,
            "tokens_read": round(self.read / self.texts, 1),
            "tokens_written": round(self.wrote / self.texts, 1),
            "clock": round(self.clock, 1),
            "cpu": round(self.cpu, 1),
            "texts_per_second": round(self.texts / self.clock, 3),
            "texts_per_cpu_second": round(self.texts / self.cpu, 3),
        }


class Here(Side):
    """The model in this process, with so many requests in flight, as `concurrency` says."""

    def __init__(self, model: LocalModel, prompts: list[list[int]], in_flight: int) -> None:
        self._batch, self._left = Batch(model), list(reversed(prompts))
        for _ in range(in_flight):
            self._ask()

    def _ask(self) -> None:
        if self._left:
            prompt = self._left.pop()

            def answered(written: Written) -> None:
                self.count(len(prompt), written.tokens)
                self._ask()

            self._batch.add(Prompt(prompt, MOST), answered, self._refuse)

    def _refuse(self, error: Exception) -> None:
        raise error

    def work(self) -> None:
        self._batch.step()


class Peer(Side):
    """`llama_cpp.server`, asked for one text after the other."""

    def __init__(self, python: Path, messages: list[list[dict[str, str]]]) -> None:
        place = locate_model("smollm2")
        words = ["--model", f"{place.name}/{place.gguf}", "--n_ctx", "2048", "--port", str(PORT)]
        words += ["--n_threads", "1", "--n_threads_batch", "1"]
        self._server = subprocess.Popen(
            [python, "-m", "llama_cpp.server", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{PORT}/v1", timeout=600)
        self._left = list(reversed(messages))

    def __enter__(self) -> Self:
        try:
            while not self._answers():
                if self._server.poll() is not None:
                    raise SystemExit(f"the peer ended with {self._server.returncode}: see --peer-python")
                time.sleep(0.5)
        except BaseException:
            self._server.terminate()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait()

    def _answers(self) -> bool:
        try:
            return self._client.get("models").is_success
        except httpx.HTTPError:
            return False

    def _answer(self, messages: list[dict[str, str]]) -> dict[str, int]:
        asked = {"messages": messages, "max_tokens": MOST, "temperature": 0}
        answer = self._client.post("chat/completions", json=asked).raise_for_status()
        usage: dict[str, int] = answer.json()["usage"]
        return usage

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._server.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + time.process_time()

    def work(self) -> None:
        usage = self._answer(self._left.pop())
        self.count(usage["prompt_tokens"], usage["completion_tokens"])


def main() -> None:
    """Print each side and the ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer-python", type=Path, help="a Python with llama-cpp-python[server]")
    python = parser.parse_args().peer_python
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    titles = pl.read_csv(DATA / "amazon-beauty/items.csv", n_rows=300)["title"].drop_nulls()
    titles = titles[: TEXTS + 2 * IN_FLIGHT]
    system = {"role": "system", "content": SYSTEM}
    messages = [[system, {"role": "user", "content": title}] for title in titles]
    model = LocalModel("smollm2")
    prompts = [model.encode(each) for each in messages]
    sides: dict[str, Side] = {str(IN_FLIGHT): Here(model, prompts, IN_FLIGHT), "1": Here(model, prompts, 1)}
    loads = []
    with ExitStack() as opened:
        if python is not None:
            sides["llama_cpp.server, 1"] = opened.enter_context(Peer(python, messages))
        for name, side in sides.items():
            side.warm(IN_FLIGHT if name == str(IN_FLIGHT) else 1)
        while sides[str(IN_FLIGHT)].texts < TEXTS:
            for side in sides.values():
                side.turn()
            loads.append(os.getloadavg()[0])
            print({name: (side.texts, round(side.cpu, 1)) for name, side in sides.items()}, file=sys.stderr)
    found = {name: side.said() for name, side in sides.items()}
    best = found.pop(str(IN_FLIGHT))
    units = ("texts_per_second", "texts_per_cpu_second")
    said: dict[str, Any] = {
        "model": "local/smollm2", "dtype": str(model.dtype), "most_tokens": MOST,
        "in_flight": {str(IN_FLIGHT): best, **found},
        "times": {
            name: {unit: round(best[unit] / side[unit], 2) for unit in units} for name, side in found.items()
        },
        "machine": describe("cpu"), "cores_used": 1, "load": [min(loads), max(loads)],
    }  # fmt: skip
    print(json.dumps(said))


if __name__ == "__main__":
    main()

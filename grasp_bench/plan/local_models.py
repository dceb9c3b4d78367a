"""Estimate texts that a model in this process writes (`model: local/…`): seconds, tokens and memory.

A run measures the speed and keeps it among the facts of its texts, and `plan --probe` keeps it in the store.
Without one of this machine it is guessed from the number of parameters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from grasp_bench.core import atomic
from grasp_bench.core.machine import has_bfloat16
from grasp_bench.core.model_files import ModelSize, model_size
from grasp_bench.core.store import Store
from grasp_bench.core.words import readable
from grasp_bench.plan.nodes import Node, asks_service, service_of
from grasp_bench.spec.service import LOCAL

FILE = "speeds.json"  # in the store: what probes measured, by machine, model and side
LOADING = 8.0  # seconds: libraries and weights
# A step reads all weights, which takes as long as the work for so many texts (benchmarks/local_texts.py).
STEP_ROWS = 4.0
MOST_ROWS, SPARE = 64, 128  # as in services.local_batches and local_cache: texts at once, columns to spare
# Of SmolLM2 on one idle core with AVX-512, and the billions of parameters it has.
READ, WRITE, WRITE_ROWS, BILLIONS = 2.2e-3, 6.5e-3, 32.0, 0.1345
USUAL_PROMPT = {"users": 250.0, "items": 60.0}
USUAL_SHARE = 0.7  # of max_tokens, that texts have
LIBRARIES = 700.0  # MB, beyond those of any worker


@dataclass(frozen=True)
class Speed:
    """Seconds per token read, and per token written beside `rows` texts; mean tokens of `texts` texts."""

    read: float
    write: float
    rows: float
    prompt: float
    written: float
    texts: int

    def seconds(self, texts: float, rows: float) -> float:
        """Seconds of texts like those measured, with so many at once."""
        slower = (1 + STEP_ROWS / max(1.0, rows)) / (1 + STEP_ROWS / self.rows)
        return texts * (self.prompt * self.read + self.written * self.write * slower)


Speeds = dict[tuple[str, str], Speed]  # by model and side


@dataclass(frozen=True)
class LocalWork:
    """What the texts of one node take; `parts` are megabytes of weights and of keys and values."""

    seconds: float
    texts: float
    prompt_tokens: float
    written_tokens: float
    dtype: str
    memory_mb: float
    parts: tuple[float, float]
    measured: bool

    def line(self) -> str:
        """`about 2 min for 600 texts, …`."""
        weights, cache = (part / 1000 for part in self.parts)
        parts = f"weights {weights:.2f} as {self.dtype}, cache {cache:.2f}" if weights else "no file is here"
        return (
            f"about {readable(self.seconds)} for {self.texts:,.0f} texts, {self.prompt_tokens:,.0f} tokens "
            f"read and {self.written_tokens:,.0f} written, {self.memory_mb / 1000:.1f} GB memory ({parts}); "
            f"{'measured on this machine' if self.measured else 'a guess, --probe measures ten texts'}"
        )


def local_name(node: Node) -> str | None:
    """Return the model, without `local/`, of a node whose texts are written in this process."""
    if node.stage != "text" or not asks_service(node):
        return None
    model = str(service_of(node)["model"])
    return model.removeprefix(LOCAL) if model.startswith(LOCAL) else None


@dataclass(frozen=True)
class Asked:
    """Requests that are left for a node, and their input tokens."""

    requests: float
    tokens: float | None = None


def local_work(node: Node, asked: Asked, speeds: Speeds, device: str, slower: float) -> LocalWork:
    """Estimate a node of a model in this process; its size is unknown where its files are not here.

    A speed of the other side is one of the machine, but tells nothing of the length of this side's texts. A
    guess is multiplied by `slower`, for this machine.
    """
    source, side, name = service_of(node), node.settings["side"], local_name(node) or ""
    texts, size = asked.requests, model_size(name)
    rows = min(texts, source["concurrency"], MOST_ROWS)
    usual = _guessed(source["max_tokens"], side, size)
    own, other = (speeds.get((name, each)) for each in (side, "users" if side == "items" else "items"))
    speed = own or (other and replace(other, prompt=usual.prompt, written=usual.written))
    used = speed or usual
    if own is None and asked.tokens and texts:
        used = replace(used, prompt=asked.tokens / texts)
    narrow = device.startswith("cuda") or has_bfloat16()
    parts = (0.0, 0.0) if size is None else _memory(size, rows, used.prompt + source["max_tokens"], narrow)
    seconds = (LOADING + used.seconds(texts, rows)) * (slower if speed is None else 1.0)
    return LocalWork(
        seconds, texts, texts * used.prompt, texts * used.written,
        "bfloat16" if narrow else "float32", LIBRARIES + sum(parts), parts, speed is not None,
    )  # fmt: skip


def encoder_size(node: Node) -> ModelSize | None:
    """Return the size of the language model whose hidden states a node takes; None for other nodes."""
    encoder = node.located().get("encoder", {})
    name = str(encoder.get("model", "")).removeprefix(LOCAL)
    return model_size(name) if encoder.get("kind") == "causal_lm" else None


def relative(size: ModelSize | None) -> float:
    """Return the parameters as a multiple of SmolLM2's; 1 where they are unknown."""
    return 1.0 if size is None else size.parameters / 1e9 / BILLIONS


def _guessed(max_tokens: int, side: str, size: ModelSize | None) -> Speed:
    times = relative(size)
    return Speed(READ * times, WRITE * times, WRITE_ROWS, USUAL_PROMPT[side], USUAL_SHARE * max_tokens, 0)


def _memory(size: ModelSize, rows: float, columns: float, narrow: bool) -> tuple[float, float]:
    width = 2 if narrow else 4
    return size.parameters * width / 1e6, size.cached * rows * (columns + SPARE) * width / 1e6


def speed_in(facts: Mapping[str, Any]) -> Speed | None:
    """Return the speed among a text's facts; None where there is none, or one that is damaged."""
    with suppress(KeyError, TypeError, ValueError):
        told = facts["speed"]
        found = Speed(**{key: told[key] for key in Speed.__dataclass_fields__})
        if min(found.read, found.write, found.rows, found.prompt, found.written) > 0:
            return found
    return None


def learn(speeds: Speeds, node: Node, facts: Mapping[str, Any]) -> None:
    """Take the speed among a text's facts if it is of more texts than that of the model's side so far."""
    name, found = local_name(node), speed_in(facts)
    if name is not None and found is not None:
        key = (name, node.settings["side"])
        speeds[key] = max(speeds.get(key, found), found, key=lambda each: each.texts)


def probed_speeds(store: Store, machine: str) -> Speeds:
    """Return what `plan --probe` measured on this machine."""
    found = {}
    for name, sides in _probes(store).get(machine, {}).items():
        for side, told in sides.items():
            if (speed := speed_in({"speed": told})) is not None:
                found[name, side] = speed
    return found


def keep_probe(store: Store, machine: str, node: Node, speed: Speed) -> None:
    """Keep a measurement in the store, in place of an earlier one."""
    kept = _probes(store)
    sides = kept.setdefault(machine, {}).setdefault(local_name(node), {})
    sides[node.settings["side"]] = asdict(speed)
    store.root.mkdir(parents=True, exist_ok=True)
    atomic.write_json(store.root / FILE, kept)


def _probes(store: Store) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found = json.loads((store.root / FILE).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}

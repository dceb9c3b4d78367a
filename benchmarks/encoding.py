"""Texts encoded per second: this project's encoder against a plain `SentenceTransformer.encode` call.

    python benchmarks/encoding.py [--items 3000] [--users 600] [--rounds 2] [--threads 2]

Real texts of amazon-beauty (a seeded sample of items and users), the same weights, both sides in turn within
each round; the best round of each side counts. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# Before torch is imported: waiting threads sleep instead of taking the other threads' core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import polars as pl
import torch

from grasp_bench.encoders.location import locate_model
from grasp_bench.encoders.sentence_transformers import SentenceTransformersTextEncoder, unwatched
from grasp_bench.encoders.shards import encode_in_shards
from grasp_bench.spec.encoder import SentenceTransformersEncoder
from grasp_bench.spec.text import TemplateText
from grasp_bench.text.subjects import Subjects
from grasp_bench.text.writing import write_texts

DATA = Path(os.environ.get("GRASP_BENCH_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
MODEL = "all-MiniLM-L6-v2"
Encode = Callable[[list[str]], np.ndarray]


def beauty_texts(items: int, users: int) -> dict[str, list[str]]:
    """A sample of both sides' texts; users are described by all but their last two interactions."""
    table = pl.read_csv(DATA / "amazon-beauty" / "items.csv").rename({"categories": "category"})
    numbers = table.with_row_index("item").select("item_id", "item")
    rows = pl.read_csv(DATA / "amazon-beauty" / "interactions.csv").join(
        numbers, on="item_id", maintain_order="left"
    )
    histories = rows.group_by("user_id", maintain_order=True).agg(pl.col("item").head(pl.len() - 2))
    offsets = np.concatenate([[0], histories["item"].list.len().cum_sum().to_numpy()])
    flat = histories["item"].explode().to_numpy()
    ids = {"items": table["item_id"].to_list(), "users": histories["user_id"].to_list()}
    rng = np.random.default_rng(42)
    sample = {}
    for side, count in (("items", items), ("users", users)):
        subjects = Subjects(side, ids[side], table, flat, offsets)  # type: ignore[arg-type]
        texts = list(write_texts(TemplateText(), subjects).texts)
        sample[side] = [texts[k] for k in rng.choice(len(texts), size=count, replace=False)]
    return sample


def ours(threads: int) -> Encode:
    """The encoder as the embeddings stage runs it, shards on disk included."""
    encoder = SentenceTransformersTextEncoder(SentenceTransformersEncoder(model=MODEL), "cpu", threads)

    def encode(texts: list[str]) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            return encode_in_shards(encoder, texts, Path(folder), unwatched)

    return encode


def plain(threads: int) -> Encode:
    """The library's call with its default settings: batches of 32, float32."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(locate_model(MODEL)), device="cpu")
    torch.set_num_threads(threads)
    return lambda texts: np.asarray(model.encode(texts, show_progress_bar=False))


def measure(texts: list[str], sides: dict[str, Encode], rounds: int) -> dict[str, object]:
    """Best seconds of each side over interleaved rounds, and how far the vectors are apart."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    vectors: dict[str, np.ndarray] = {}
    for _ in range(rounds):
        for name, encode in sides.items():
            started = time.perf_counter()
            vectors[name] = encode(texts)
            seconds[name].append(time.perf_counter() - started)
    rates = {name: len(texts) / min(taken) for name, taken in seconds.items()}
    return {
        "texts": len(texts),
        "distinct": len(set(texts)),
        "ours_per_s": round(rates["ours"], 1),
        "plain_per_s": round(rates["plain"], 1),
        "ratio": round(rates["ours"] / rates["plain"], 2),
        "min_cosine_to_float32": round(float((vectors["ours"] * vectors["plain"]).sum(axis=1).min()), 6),
    }


def main() -> None:
    """Measure both sides and print the line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=3000)
    parser.add_argument("--users", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    texts = beauty_texts(args.items, args.users)
    sides = {"ours": ours(args.threads), "plain": plain(args.threads)}
    for encode in sides.values():
        encode(texts["items"][:64])
    found = {side: measure(texts[side], sides, args.rounds) for side in texts}
    taken = {
        name: sum(part["texts"] / part[f"{name}_per_s"] for part in found.values())  # type: ignore[operator]
        for name in sides
    }
    print(
        json.dumps(
            {
                "benchmark": "encoding",
                "ratio": round(taken["plain"] / taken["ours"], 2),
                **found,
                "rounds": args.rounds,
                "threads": args.threads,
                "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()

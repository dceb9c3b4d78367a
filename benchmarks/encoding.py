"""Texts encoded per second, and what faster arithmetic does to neighbours. Each prints one JSON line.

    python benchmarks/encoding.py speed [--items 3000] [--users 600] [--rounds 2] [--threads 2]
    python benchmarks/encoding.py overlap [--items 12101] [--users 600] [--descriptions 3000] [--threads 2]

speed: this project's encoder against a plain `SentenceTransformer.encode` call. Real texts of amazon-beauty
(a seeded sample of items and users), the same weights, both sides in turn within each round; the best round
of each side counts.

overlap: the mean share of each text's ten nearest neighbours that bfloat16 and int8 have in common with
float32, all given texts being candidates, on the same texts and on goodreads descriptions. Beauty has 12,101
items: a smaller sample is sparser, so that its neighbours are further apart and easier to keep.
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

from grasp_bench.encoders.batching import encode_in_shards
from grasp_bench.encoders.precision import NEIGHBOURS, neighbour_overlap
from grasp_bench.encoders.pretrained import locate_model
from grasp_bench.encoders.sentence_transformers import SentenceTransformersTextEncoder
from grasp_bench.encoders.sentence_transformers_settings import SentenceTransformers
from grasp_bench.text.providers import Entities, write_texts
from grasp_bench.text.template_settings import TemplateText

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
        subjects = Entities(side, ids[side], table, flat, offsets)  # type: ignore[arg-type]
        texts = list(write_texts(TemplateText(), subjects).texts)
        sample[side] = [texts[k] for k in rng.choice(len(texts), size=count, replace=False)]
    return sample


def ours(threads: int) -> Encode:
    """The encoder as the embeddings stage runs it, shards on disk included."""
    encoder = SentenceTransformersTextEncoder(SentenceTransformers(model=MODEL), "cpu", threads)

    def encode(texts: list[str]) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            return encode_in_shards(encoder, texts, Path(folder), lambda done: None)

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


def goodreads_descriptions(count: int) -> list[str]:
    """A sample of the descriptions that GPT-3.5 wrote."""
    texts = pl.read_csv(DATA / "goodreads" / "items.csv", infer_schema=False)["description"].drop_nulls()
    return texts.sample(min(count, len(texts)), seed=42).to_list()


def agreement(texts: list[str], threads: int) -> dict[str, object]:
    """Overlap with float32, by arithmetic; equal texts have equal vectors and count once."""
    texts = sorted(set(texts))
    vectors = {}
    for dtype in ("float32", "bfloat16", "int8"):
        section = SentenceTransformers.model_validate({"model": MODEL, "dtype": dtype})
        vectors[dtype] = SentenceTransformersTextEncoder(section, "cpu", threads).encode(texts)
    exact = vectors.pop("float32")
    return {
        "texts": len(texts),
        **{dtype: round(neighbour_overlap(exact, found), 4) for dtype, found in vectors.items()},
    }


def overlap(args: argparse.Namespace) -> dict[str, object]:
    """Overlaps of beauty's items and users and of goodreads descriptions."""
    texts = beauty_texts(args.items, args.users)
    texts["descriptions"] = goodreads_descriptions(args.descriptions)
    return {"k": NEIGHBOURS, **{name: agreement(part, args.threads) for name, part in texts.items()}}


def speed(args: argparse.Namespace) -> dict[str, object]:
    """Rates of both sides, and how many times ours is the other's."""
    texts = beauty_texts(args.items, args.users)
    sides = {"ours": ours(args.threads), "plain": plain(args.threads)}
    for encode in sides.values():
        encode(texts["items"][:64])
    found = {side: measure(texts[side], sides, args.rounds) for side in texts}
    taken = {
        name: sum(part["texts"] / part[f"{name}_per_s"] for part in found.values())  # type: ignore[operator]
        for name in sides
    }
    return {"ratio": round(taken["plain"] / taken["ours"], 2), **found, "rounds": args.rounds}


def main() -> None:
    """Measure what is asked for and print the line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["speed", "overlap"], nargs="?", default="speed")
    parser.add_argument("--items", type=int)
    parser.add_argument("--users", type=int, default=600)
    parser.add_argument("--descriptions", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    args.items = args.items or {"speed": 3000, "overlap": 12_101}[args.what]
    torch.set_num_threads(args.threads)
    found = {"speed": speed, "overlap": overlap}[args.what](args)
    machine = {"threads": args.threads, "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    name = {"speed": "encoding", "overlap": "encoding_overlap"}[args.what]
    print(json.dumps({"benchmark": name, **found, **machine, "torch": torch.__version__}))


if __name__ == "__main__":
    main()

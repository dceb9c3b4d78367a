"""Neighbours by the hidden states of a causal language model, against those by MiniLM. Prints one JSON line.

    python benchmarks/encoder_agreement.py [--items 400] [--max-tokens 64] [--adapted FOLDER] [--threads 1]

Template texts of a seeded sample of amazon-beauty's items, the same for all encoders; neighbours are searched
exactly within the sample. For each pooling and choice of layers: the mean Jaccard coefficient and rank-biased
overlap of an item's ten nearest with those by MiniLM, as `inspect neighbours` computes them, and the share of
the ten nearest that are of the item's own category. MiniLM's share and chance are beside them.
With `--adapted`, the folder of an adaptation stage, its weights alone are measured, with attention both ways.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time

# Before torch is imported: waiting threads sleep instead of taking the other threads' core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import polars as pl
import torch
from encoding import DATA, beauty_texts

from grasp_bench.encoders.batching import batch_by_tokens
from grasp_bench.encoders.causal_lm import Tokens, two_way
from grasp_bench.encoders.packed import masked_mean, padded
from grasp_bench.encoders.sentence_transformers import SentenceTransformersTextEncoder
from grasp_bench.encoders.sentence_transformers_settings import SentenceTransformers
from grasp_bench.retrieval.agreement import common_at_depths, jaccard, rank_biased_overlap
from grasp_bench.retrieval.exact import ExactSearcher
from grasp_bench.retrieval.neighbours import SearchSettings, unit_vectors
from grasp_bench.services.local_model import load_causal_lm

NEAREST = 10
BATCH_TOKENS = 512
LAYERS: dict[str, tuple[int, ...]] = {
    **{str(layer): (layer,) for layer in (0, 1, 4, 8, 12, 16, 20, 24, 28, 29)},
    "30, the last": (30,),
    "1 to 10": tuple(range(1, 11)),
    "11 to 20": tuple(range(11, 21)),
    "1 to 29": tuple(range(1, 30)),
}


def hidden_states(
    texts: list[str], both_ways: bool, limit: int, adapted: str | None
) -> dict[str, np.ndarray]:
    """Vectors (n, D) by pooling and layers, all from one pass; see `CausalLMTextEncoder`."""
    tokenizer, model = load_causal_lm("smollm2", torch.float32)
    if adapted is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapted).merge_and_unload()
    tokens_of = Tokens(tokenizer, limit)
    tokens = tokens_of(texts)
    poolings = ["bidirectional_mean"] if both_ways else ["mean", "last"]
    shape = (len(texts), model.config.hidden_size)
    found = {f"{pooling}, {name}": np.empty(shape, np.float32) for pooling in poolings for name in LAYERS}
    for rows in batch_by_tokens([len(ids) for ids in tokens], BATCH_TOKENS):
        ids_BL, mask_BL = padded([tokens[row] for row in rows], tokens_of.begin, "cpu")
        attention = two_way(mask_BL, torch.float32) if both_ways else mask_BL.long()
        with torch.inference_mode():
            states = model.base_model(
                input_ids=ids_BL, attention_mask=attention, output_hidden_states=True, use_cache=False
            ).hidden_states
        last_B, pooled_BL = mask_BL.sum(dim=1) - 1, mask_BL.clone()
        pooled_BL[:, 0] = False
        for name, layers in LAYERS.items():
            states_BLD = torch.stack([states[layer] for layer in layers]).mean(dim=0)
            for pooling in poolings:
                last_BD = states_BLD[torch.arange(len(rows)), last_B]
                pooled_BD = last_BD if pooling == "last" else masked_mean(states_BLD, pooled_BL)
                found[f"{pooling}, {name}"][rows] = pooled_BD.numpy()
    return found


def neighbours(vectors: np.ndarray) -> np.ndarray:
    """The ten nearest (n, 10) of each row by cosine."""
    settings = SearchSettings(NEAREST, 16, 100, 100, 0, 1)
    return ExactSearcher(settings).search(unit_vectors(vectors)).indices


def main() -> None:
    """Measure all poolings and print the line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=400)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--adapted")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    table = pl.read_csv(DATA / "amazon-beauty" / "items.csv").rename({"categories": "category"})
    rows = np.random.default_rng(42).choice(
        len(table), size=args.items, replace=False
    )  # as beauty_texts draws
    texts = beauty_texts(args.items, 1)["items"]
    _, category = np.unique(table["category"].fill_null("").to_numpy()[rows], return_inverse=True)
    section = SentenceTransformers(max_tokens=args.max_tokens, dtype="float32")
    minilm = neighbours(SentenceTransformersTextEncoder(section, "cpu", args.threads).encode(texts))

    def in_category(indices: np.ndarray) -> float:
        return round(float((category[indices] == category[:, None]).mean()), 4)

    said: dict[str, dict[str, float]] = {}
    began = time.process_time()
    for both_ways in (False, True) if args.adapted is None else (True,):
        for name, vectors in hidden_states(texts, both_ways, args.max_tokens, args.adapted).items():
            indices = neighbours(vectors)
            common = common_at_depths(minilm, indices)
            said[name] = {
                "jaccard": round(float(jaccard(common).mean()), 4),
                "rbo": round(float(rank_biased_overlap(common).mean()), 4),
                "same_category": in_category(indices),
            }
    counts = np.bincount(category)
    chance = float((counts * (counts - 1)).sum() / (len(category) * (len(category) - 1)))
    share = NEAREST / (args.items - 1)
    result = {
        "benchmark": "encoder_agreement", "model": "local/smollm2", "dtype": "float32", "k": NEAREST,
        "items": args.items, "max_tokens": args.max_tokens,
        "minilm": {"same_category": in_category(minilm)},
        "chance": {"jaccard": round(share / (2 - share), 4), "same_category": round(chance, 4)},
        "causal_lm": said, "cpu_seconds": round(time.process_time() - began, 1),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()

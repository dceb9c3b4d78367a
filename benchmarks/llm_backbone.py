"""Seconds of an epoch with layers of SmolLM2 as backbone, against SASRec, on one core.

    python benchmarks/llm_backbone.py [--rounds 2] [--batch 128] > benchmarks/results/llm_backbone.json

The training part of 2,000 users of amazon-beauty, 20 items of each at most, enhancer `none`, the settings of
specs/beauty_llm_backbone.yaml. The best of a side's epochs counts, in CPU time of this process: it has one
thread, and other processes on the same core must not count. `padded` is a forward and backward pass of
transformers' own model over the same histories in a padded rectangle, against ours: 4 layers, all trained.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from grasp_bench.data.prepare import prepare
from grasp_bench.data.splitting import split_by_protocol
from grasp_bench.models.backbones.llm import LLM
from grasp_bench.models.layout import gather_sequences
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.model import Model
from grasp_bench.spec.training import Training
from grasp_bench.training.checkpoint import generator
from grasp_bench.training.objectives import Objective
from grasp_bench.training.optimizers import optimizer_of
from grasp_bench.training.sequences import Sequences

CPU = torch.device("cpu")
USERS, MAX_LEN = 2_000, 20
LOSS = {"kind": "sampled_softmax", "negatives": 256, "sampling": "popularity"}
SIDES: dict[str, dict[str, Any]] = {
    "sasrec": {"backbone": "sasrec"},
    "2 layers, frozen": {"kept_layers": 2},
    "4 layers, frozen": {"kept_layers": 4},
    "8 layers, frozen": {"kept_layers": 8},
    "4 layers, LoRA 8": {"kept_layers": 4, "lora_rank": 8},
    "2 layers, trained": {"kept_layers": 2, "frozen": False},
    "4 layers, trained": {"kept_layers": 4, "frozen": False},
}


class Side:
    """A model in training."""

    def __init__(self, sequences: Sequences, batch: int, keys: dict[str, Any]) -> None:
        torch.manual_seed(42)
        given = {"backbone": "llm", "embedding_dim": 64, "max_len": MAX_LEN, "dropout": 0.2, **keys}
        self.training = Training(batch_size=batch, loss=LOSS)
        self.sequences = sequences
        self.recommender = Recommender.from_settings(
            Model(**given).effective(), USERS, sequences.num_items, None
        )
        self.optimizer = optimizer_of(self.recommender, self.training)
        self.objective = Objective.prepare(self.recommender, sequences, MAX_LEN, self.training.loss)
        self.epochs = 0

    def epoch(self) -> float:
        """CPU seconds of an epoch."""
        self.epochs += 1
        self.recommender.train()
        draws, started = generator(CPU, self.epochs), time.process_time()
        for users_B in self.sequences.batches(self.training.batch_size, draws):
            self.optimizer.zero_grad()
            self.objective.step(users_B, draws).backward()
            self.optimizer.step()
        return time.process_time() - started


def training_part() -> Sequences:
    """The training part of the sample."""
    dataset = Dataset(source="amazon-beauty", sample_users=USERS)
    train = split_by_protocol(prepare(dataset), dataset.protocol).split
    items, offsets = (torch.from_numpy(x).long() for x in (train.train_items, train.train_offsets))
    return Sequences(items, offsets, train.num_items)


def padded(sequences: Sequences, batch: int, rounds: int) -> dict[str, float]:
    """Milliseconds of a pass over a batch of histories by either way, and how far their states are apart."""
    from transformers import AutoModel

    keys = Model(backbone="llm", kept_layers=4, frozen=False, max_len=MAX_LEN).effective()
    ours = LLM.from_settings(keys)
    library: Any = AutoModel.from_config(ours.transformer.config, attn_implementation="sdpa")
    library.set_input_embeddings(None)
    library.load_state_dict(ours.transformer.state_dict())
    users_B = next(sequences.batches(batch, generator(CPU, 1)))
    starts_B, ends_B = sequences.host_offsets[users_B], sequences.host_offsets[users_B + 1]
    _, layout = gather_sequences(starts_B, (ends_B - starts_B).clamp_max(MAX_LEN))
    x_TW = torch.randn(len(layout.sequence_T), ours.transformer.config.hidden_size)

    def flat() -> Tensor:
        return ours.read(x_TW, layout)

    def rectangle() -> Tensor:
        mask = layout.mask().long()
        found = library(inputs_embeds=layout.pad(x_TW), attention_mask=mask, use_cache=False)
        return layout.unpad(found.last_hidden_state)

    sides: dict[str, Callable[[], Tensor]] = {"ours": flat, "padded": rectangle}
    taken: dict[str, list[float]] = {name: [] for name in sides}
    states: dict[str, Tensor] = {}
    for _ in range(rounds + 1):
        for name, side in sides.items():
            started = time.process_time()
            states[name] = side()
            states[name].square().mean().backward()
            taken[name].append(time.process_time() - started)
    best = {name: round(1e3 * min(times), 1) for name, times in taken.items()}
    apart = float((states["ours"] - states["padded"]).detach().abs().max())
    return {**best, "ratio": round(best["padded"] / best["ours"], 2), "difference": apart}


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sequences = training_part()
    sides = {name: Side(sequences, arguments.batch, keys) for name, keys in SIDES.items()}
    seconds = {name: min(side.epoch() for _ in range(arguments.rounds)) for name, side in sides.items()}
    facts = {
        "benchmark": "llm_backbone",
        "epoch_s": {name: round(each, 2) for name, each in seconds.items()},
        "times_sasrec": {name: round(each / seconds["sasrec"], 1) for name, each in seconds.items()},
        "padded_ms": padded(sequences, arguments.batch, arguments.rounds),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "users": USERS, "items": sequences.num_items, "tokens": len(sequences.items_flat) - USERS,
        "rounds": arguments.rounds, "batch": arguments.batch, "max_len": MAX_LEN, "threads": 1,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores", "torch": torch.__version__,
    }  # fmt: skip
    print(json.dumps(facts))


if __name__ == "__main__":
    main()

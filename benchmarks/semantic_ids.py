"""TIGER against the plain padded form without caches: an epoch, and the beam search of 1,000 users.

    GRASP_BENCH_DATA=../shared/data python benchmarks/semantic_ids.py [--users 1000] [--device cpu]

The plain form is `torch.nn.TransformerEncoder` and `TransformerDecoder` of the same sizes: histories
are padded to the longest that the model reads, each level of the beam reads its prefixes from the
start, and the memory is repeated for every prefix. Both read the same histories of amazon-beauty with
random codes of 3 × 256 and one for collisions; weights are random, which changes no time. Prints one
JSON line of seconds and ratios (above 1: grasp_bench is faster), and the peak memory of ranking in a
process of its own under `--memory`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Before torch is imported: waiting threads sleep instead of taking the other threads' core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from torch import Tensor, nn

from grasp_bench.data.prepare import prepare
from grasp_bench.data.splitting import split_by_protocol
from grasp_bench.evaluation.ranker import Queries, Ranker
from grasp_bench.models.batch import History
from grasp_bench.models.enhancers.base import Codes, Knowledge
from grasp_bench.models.generative.tiger import Tiger
from grasp_bench.models.layout import gather_sequences
from grasp_bench.models.recommender import build_model
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.model import Model

BEAM, LEVELS, SIZE, MAX_LEN, BATCH = 50, 3, 256, 50, 128
KEYS = {
    "enhancer": "tiger", "embedding_dim": 128, "max_len": MAX_LEN, "dropout": 0.0, "attention_heads": 4,
    "feed_forward": 1024, "user_tokens": 0, "beam": BEAM,
}  # fmt: skip


def codes_of(num_items: int) -> Codes:
    """Random codes, the last level 0 for all but those that collide."""
    drawn = torch.randint(SIZE, (num_items, LEVELS), generator=torch.Generator().manual_seed(0))
    return Codes(torch.cat([drawn, torch.zeros(num_items, 1, dtype=torch.int64)], dim=1), (SIZE,) * 3 + (4,))


class Plain(nn.Module):
    """The same encoder-decoder by torch's own layers, padded and without caches."""

    def __init__(self, model: Tiger) -> None:
        super().__init__()
        self.model = model
        shape = (128, 4, 1024, 0.0)
        options = {"batch_first": True, "norm_first": True}
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(*shape, **options), 4, enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(*shape, **options), 4)

    def encode(self, history: History) -> tuple[Tensor, Tensor]:
        """Memory (B, M, d) padded to the longest history there may be, and which tokens are padding."""
        tokens, layout = self.model._tokens(history)
        padded, absent = layout.pad(tokens), ~layout.mask()
        more = MAX_LEN * (LEVELS + 1) - padded.shape[1]
        padded = nn.functional.pad(padded, (0, 0, 0, more))
        absent = nn.functional.pad(absent, (0, more), value=True)
        return self.encoder(padded, src_key_padding_mask=absent), absent

    def decode(self, codes_Bl: Tensor, memory: Tensor, absent: Tensor) -> Tensor:
        """States (B, l + 1, d) of prefixes, each read from the start."""
        start = self.model.start.expand(len(codes_Bl), 1, -1)
        tokens = torch.cat([start, self.model.table(codes_Bl)], dim=1)
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], device=tokens.device)
        return self.decoder(tokens, memory, tgt_mask=mask, memory_key_padding_mask=absent)

    def loss(self, history: History, targets: Tensor) -> Tensor:
        """As TIGER's."""
        codes = self.model.codes_mL[targets]
        states = self.decode(codes[:, :-1], *self.encode(history))
        losses = [
            nn.functional.cross_entropy(self.model._logits(states[:, level], level), codes[:, level] - first)
            for level, first in enumerate(self.model.firsts)
        ]
        return torch.stack(losses).mean()

    def search(self, history: History) -> Tensor:
        """Nodes (B, W) of the last level that a beam finds."""
        memory, absent = self.encode(history)
        users = len(memory)
        codes = torch.zeros(users, 1, 0, dtype=torch.int64)
        node, score = torch.zeros(users, 1, dtype=torch.int64), torch.zeros(users, 1)
        for level, size in enumerate(self.model.sizes):
            width = codes.shape[1]
            states = self.decode(
                codes.flatten(0, 1), memory.repeat_interleave(width, 0), absent.repeat_interleave(width, 0)
            )
            logs = self.model._logits(states[:, -1], level).log_softmax(-1).unflatten(0, (users, width))
            following = self.model.trie.next_nodes(level)[node]
            total = (score[:, :, None] + logs).masked_fill(following < 0, -torch.inf).flatten(1)
            score, chosen = total.topk(min(BEAM, total.shape[1]), dim=1)
            node = following.flatten(1).gather(1, chosen).clamp_min(0)
            before = codes.gather(1, (chosen // size)[:, :, None].expand(-1, -1, level))
            codes = torch.cat([before, (chosen % size + self.model.firsts[level])[:, :, None]], dim=2)
        return node


def timed(work: Callable[[], object], device: str) -> float:
    """Seconds of one call."""
    if device != "cpu":
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def data() -> tuple[Tensor, Tensor, int]:
    """Flat items of all users, offsets, and how many items there are, without the two held-out items."""
    dataset = Dataset.model_validate({"source": "amazon-beauty"})
    split = split_by_protocol(prepare(dataset), dataset.protocol).split
    items = torch.from_numpy(split.train_items.astype("int64"))
    return items, torch.from_numpy(split.train_offsets.astype("int64")), split.num_items


def histories(items: Tensor, offsets: Tensor, users: Tensor) -> History:
    """The latest items of users."""
    ends, lengths = offsets[users + 1] - 1, (offsets.diff()[users] - 1).clamp(1, MAX_LEN)
    index, layout = gather_sequences(ends - lengths, lengths)
    return History(users, items[index], layout)


def by_length(offsets: Tensor, users: Tensor) -> Tensor:
    """Users in the order of their histories, as `OneHistoryEach` has them in a step."""
    return users[offsets.diff()[users].argsort(stable=True)]


def epoch(loss: Callable[[History, Tensor], Tensor], batches: list[tuple[History, Tensor]]) -> None:
    """Forward and backward passes of all batches."""
    for history, targets in batches:
        loss(history, targets).backward()


def peak_of_ranking(memory_mb: int) -> float:
    """Peak memory in MB of a process that ranks 512 users in the catalogue with this bound."""
    command = [sys.executable, __file__, "--peak", str(memory_mb)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def build(num_items: int, device: str) -> Tiger:
    """A TIGER of the published layers with random weights."""
    torch.manual_seed(0)
    model = build_model(
        Model.model_validate(KEYS).effective(), 1, num_items, Knowledge(codes=codes_of(num_items))
    )
    assert isinstance(model, Tiger)
    return model.to(device)


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--peak", type=int)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    items, offsets, num_items = data()
    model = build(num_items, asked.device)
    users = (offsets.diff() >= 2).nonzero()[:, 0]
    if asked.peak is not None:
        some = users[offsets.diff()[users].topk(512).indices]  # of the longest histories
        queries = Queries(
            some, torch.zeros_like(some), torch.zeros(512, 100, dtype=torch.int64), items, offsets
        )
        Ranker(queries, MAX_LEN, asked.peak).full(model, 20, True)
        status = Path("/proc/self/status").read_text()  # getrusage would give a larger parent's peak
        print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
        return
    chosen = users[torch.randperm(len(users), generator=torch.Generator().manual_seed(1))[: asked.users]]
    plain = Plain(model).to(asked.device)
    batches = [
        (histories(items, offsets, part), items[offsets[part + 1] - 1])
        for part in (by_length(offsets, each) for each in chosen.split(BATCH))
    ]
    model.train()
    ours = timed(lambda: epoch(model.loss, batches), asked.device)
    padded = timed(lambda: epoch(plain.loss, batches), asked.device)
    model.eval(), plain.eval()
    with torch.inference_mode():
        found = timed(
            lambda: [model.score_catalogue(model.states(h, None), h, None) for h, _ in batches], asked.device
        )
        searched = timed(lambda: [plain.search(h) for h, _ in batches], asked.device)
    print(
        json.dumps(
            {
                "users": len(chosen),
                "mean_history": round(
                    float(torch.cat([h.layout.lengths_B for h, _ in batches]).double().mean()), 2
                ),
                "epoch_seconds": round(ours, 2),
                "plain_epoch_seconds": round(padded, 2),
                "epoch_ratio": round(padded / ours, 2),
                "search_seconds": round(found, 2),
                "plain_search_seconds": round(searched, 2),
                "search_ratio": round(searched / found, 2),
                "peak_mb": {mb: round(peak_of_ranking(mb)) for mb in (128, 512, 2048)},
                "machine": platform.processor() or platform.machine(),
            }
        )
    )


if __name__ == "__main__":
    main()

"""Training steps and evaluation of enhancers: LLM-ESR against its plain form, GRASP against SASRec alone.

    python benchmarks/enhancers.py [--rounds 5] [--threads 1]

llmesr   one step (loss, gradients) on amazon-fashion's sequences, batch 128, 10 similar users, D = 1536,
         d = 64. The plain form pads every sequence to 200, adapts every token's vector and encodes every
         similar user, without gradients, however often it occurs. Same parameters; without dropout
         both give the same loss, which is checked first. Similar users are drawn at random, so that hardly
         one is met twice: real ones are, and then less is encoded.
grasp    one step (loss, gradients, Adam) of SASRec with GRASP against SASRec alone, on amazon-beauty with its
         MiniLM vectors (D = 384), batch 128; and ranking the validation item among 100 stored candidates
         for 4,096 users, as every epoch does.

Sides take turns within a round, and the medians of the rounds are compared. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
from collections.abc import Callable

# Before torch is imported: waiting threads sleep instead of taking the other threads' core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import polars as pl
import torch
import torch.nn.functional as F
from holistic_attention import DATA, beauty, median_seconds, vectors
from torch import Tensor

from grasp_bench.evaluation.ranker import Queries, Ranker
from grasp_bench.models.backbones.attention_block import SelfAttention
from grasp_bench.models.enhancers.base import Knowledge
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.model import Model
from grasp_bench.spec.training import Loss, Training
from grasp_bench.training.checkpoint import generator
from grasp_bench.training.objectives import Objective
from grasp_bench.training.optimizers import optimizer_of
from grasp_bench.training.sequences import Sequences

CPU = torch.device("cpu")
BATCH, SIMILAR, PADDED, WIDE = 128, 10, 200, 1536
RANKED_USERS = 4096


def fashion() -> Sequences:
    """Training sequences of amazon-fashion."""
    rows = pl.read_csv(DATA / "amazon-fashion" / "interactions.csv")
    rows = rows.with_columns(pl.col("item_id").rank("dense").sub(1).alias("item"))
    histories = rows.group_by("user_id", maintain_order=True).agg(pl.col("item").head(pl.len() - 2))
    flat = torch.from_numpy(histories["item"].explode().to_numpy().copy()).long()
    lengths = torch.from_numpy(histories["item"].list.len().to_numpy().copy()).long()
    return Sequences(flat, F.pad(lengths.cumsum(0), (1, 0)), rows["item"].n_unique())


class PlainLLMESR:
    """LLM-ESR on SASRec over rectangles of length 200: its equations with a mask, nothing shared."""

    def __init__(self, model: Recommender, data: Sequences) -> None:
        self.model, self.data = model, data

    def loss(self, users_B: Tensor, negatives_T: Tensor) -> Tensor:
        """The loss of one batch, its negatives given in the order of the real positions."""
        enhancer = self.model.enhancer
        items_BL, targets_BL, lengths_B = self._padded(users_B)
        states_BL2 = self._states(items_BL, lengths_B)
        real_BL = torch.arange(PADDED) < lengths_B[:, None]
        negatives_BL = torch.zeros_like(items_BL).masked_scatter(real_BL, negatives_T)
        positive_BL = (states_BL2 * self._vectors(targets_BL)).sum(-1)
        negative_BL = (states_BL2 * self._vectors(negatives_BL)).sum(-1)
        main = F.softplus(-positive_BL[real_BL]).mean() + F.softplus(negative_BL[real_BL]).mean()
        with torch.no_grad():
            similar = enhancer.nearest_users_nN[users_B].flatten()
            their_items, _, their_lengths = self._padded(similar)
            theirs = self._states(their_items, their_lengths)[torch.arange(len(similar)), their_lengths - 1]
            mean_B2 = theirs.view(len(users_B), SIMILAR, -1).mean(1)
        own_B2 = states_BL2[torch.arange(len(users_B)), lengths_B - 1]
        return main + enhancer.distil_weight * F.mse_loss(own_B2, mean_B2)

    def _padded(self, users_B: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs, targets (B, 200) and lengths; a user of one item reads it, as the objective does."""
        offsets, flat = self.data.offsets, self.data.items_flat
        items, targets = (torch.zeros(len(users_B), PADDED, dtype=torch.int64) for _ in range(2))
        lengths = []
        for row, user in enumerate(users_B.tolist()):
            whole = flat[offsets[user] : offsets[user + 1]]
            read = whole[:-1][-PADDED:] if len(whole) > 1 else whole
            items[row, : len(read)] = read
            targets[row, : len(whole) - 1] = whole[1:][-PADDED:]
            lengths.append(len(read))
        return items, targets, torch.tensor(lengths)

    def _vectors(self, items_BL: Tensor) -> Tensor:
        enhancer = self.model.enhancer
        semantic = enhancer.adapt(enhancer.reduce(enhancer.items_mD[items_BL]))
        return torch.cat([enhancer.collaborative(items_BL), semantic], dim=-1)

    def _states(self, items_BL: Tensor, lengths_B: Tensor) -> Tensor:
        own, other = self._vectors(items_BL).chunk(2, dim=-1)
        crossing = self.model.enhancer.cross_attention
        from_end_BL = (lengths_B[:, None] - 1 - torch.arange(PADDED)).clamp_min(0)
        places = crossing.positions(from_end_BL)
        own, other = own * crossing.scale + places, other * crossing.scale + places
        mixed = (
            self._attend(crossing.second_to_first, other, own) / crossing.scale,
            self._attend(crossing.first_to_second, own, other) / crossing.scale,
        )
        return torch.cat([self._sasrec(view, from_end_BL) for view in mixed], dim=-1)

    def _sasrec(self, x_BLd: Tensor, from_end_BL: Tensor) -> Tensor:
        b = self.model.backbone
        x_BLd = F.dropout(x_BLd * b.scale + b.positions(from_end_BL), b.dropout, b.training)
        for norm, attention, forward_norm, forward in zip(
            b.attention_norms, b.attentions, b.forward_norms, b.forwards, strict=True
        ):
            query = norm(x_BLd)
            x_BLd = forward_norm(query + self._attend(attention, query, x_BLd))
            inner = F.dropout(torch.relu(forward.expand(x_BLd)), b.dropout, b.training)
            x_BLd = x_BLd + F.dropout(forward.contract(inner), b.dropout, b.training)
        return b.final_norm(x_BLd)

    @staticmethod
    def _attend(attention: SelfAttention, query_BLd: Tensor, memory_BLd: Tensor) -> Tensor:
        def heads(x: Tensor) -> Tensor:
            return x.unflatten(-1, (attention.heads, -1)).transpose(1, 2)

        q = heads(attention.query(query_BLd))
        k, v = (heads(part) for part in attention.key_value(memory_BLd).chunk(2, dim=-1))
        logits = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        later = torch.ones(PADDED, PADDED, dtype=torch.bool).triu(1)
        weights = logits.masked_fill(later, -math.inf).softmax(-1)
        weights = F.dropout(weights, attention.dropout, attention.training)
        return attention.output((weights @ v).transpose(1, 2).flatten(2))


def llmesr(rounds: int) -> dict[str, object]:
    """Our step against the plain form's."""
    data = fashion()
    users, draw = len(data.offsets) - 1, torch.Generator().manual_seed(1)
    items_mD = F.normalize(torch.randn(data.num_items, WIDE, generator=draw), dim=-1)
    nearest_nN = torch.randint(users, (users, SIMILAR), generator=draw)
    settings = Model(enhancer="llmesr", max_len=PADDED).effective()
    torch.manual_seed(0)
    knowledge = Knowledge(items_mD=items_mD, nearest_users_nN=nearest_nN)
    model = Recommender.from_settings(settings, users, data.num_items, knowledge)
    objective, plain = Objective.prepare(model, data, PADDED, Loss()), PlainLLMESR(model, data)
    assert objective.own is not None
    batch = data.trainable_users()[torch.randperm(len(data.trainable_users()), generator=draw)[:BATCH]]
    lengths = (data.offsets[batch + 1] - data.offsets[batch] - 1).clamp_max(PADDED)
    negatives = objective.own.draw(torch.repeat_interleave(batch, lengths), generator(CPU, 7))

    def step(loss_of: Callable[[], Tensor]) -> None:
        model.zero_grad(set_to_none=True)
        loss_of().backward()

    def ours() -> Tensor:
        return objective.step(batch, generator(CPU, 7))

    def theirs() -> Tensor:
        return plain.loss(batch, negatives)

    model.eval()
    with torch.no_grad():
        losses = float(ours()), float(theirs())
    model.train()
    seconds = median_seconds({"plain": lambda: step(theirs), "ours": lambda: step(ours)}, rounds)
    return {
        "ratio": round(seconds["plain"] / seconds["ours"], 1),
        "ms": {name: round(1e3 * value, 1) for name, value in seconds.items()},
        "loss_difference": abs(losses[0] - losses[1]),
        "distinct_similar_users": len(nearest_nN[batch].unique()),
    }


def grasp(rounds: int) -> dict[str, object]:
    """SASRec with GRASP against SASRec alone."""
    flat, offsets, num_items, user_ids, item_ids = beauty()
    data = Sequences(flat, offsets, num_items)
    users, items = vectors("users", user_ids, 384), vectors("items", item_ids, 384)
    # Neighbours do not matter for speed: any other rows serve as their means.
    knowledge = Knowledge(users, users.roll(1, 0), items, items.roll(1, 0))
    draw = torch.Generator().manual_seed(1)
    asked = torch.randperm(len(user_ids), generator=draw)[:RANKED_USERS]
    queries = Queries(
        asked, torch.randint(num_items, (RANKED_USERS,), generator=draw),
        torch.randint(num_items, (RANKED_USERS, 100), generator=draw), flat, offsets,
    )  # fmt: skip
    batches = list(data.batches(BATCH, draw))[:20]
    steps, evaluations = {}, {}
    for enhancer in ("none", "grasp"):
        torch.manual_seed(0)
        settings = Model(enhancer=enhancer, max_len=100).effective()
        model = Recommender.from_settings(settings, len(user_ids), num_items, knowledge)
        steps[enhancer] = _training(model, data, batches)
        evaluations[enhancer] = _evaluation(model, Ranker(queries, 100))
    trained, ranked = median_seconds(steps, rounds), median_seconds(evaluations, rounds)
    return {
        "step_ratio": round(trained["grasp"] / trained["none"], 2),
        "step_ms": {name: round(1e3 * value / len(batches), 1) for name, value in trained.items()},
        "evaluation_ratio": round(ranked["grasp"] / ranked["none"], 2),
        "evaluation_ms": {name: round(1e3 * value) for name, value in ranked.items()},
    }


def _training(model: Recommender, data: Sequences, batches: list[Tensor]) -> Callable[[], None]:
    optimizer, objective = optimizer_of(model, Training()), Objective.prepare(model, data, 100, Loss())

    def steps() -> None:
        model.train()
        draws = generator(CPU, 5)
        for users_B in batches:
            optimizer.zero_grad()
            objective.step(users_B, draws).backward()
            optimizer.step()

    return steps


def _evaluation(model: Recommender, ranker: Ranker) -> Callable[[], None]:
    def evaluate() -> None:
        ranker.sampled(model)

    return evaluate


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = {"grasp": grasp(arguments.rounds), "llmesr": llmesr(max(1, arguments.rounds // 2))}
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    settings = {"rounds": arguments.rounds, "threads": arguments.threads, "machine": machine}
    print(json.dumps({"benchmark": "enhancers", **found, **settings, "torch": torch.__version__}))


if __name__ == "__main__":
    main()

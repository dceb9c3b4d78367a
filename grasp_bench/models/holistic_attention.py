"""Holistic attention (arXiv 2511.20177, eq. 3–5) in factorised form, and its scores for all items.

Shape suffixes: S states, B users (in the order of a `Packing`), b users of a block, s slots of each, N items,
P parts of the attention, H hidden width.

For user u with neighbour mean ū and item i with neighbour mean ī, all of width D:

    self    = σ(u·i / √D) i
    similar = σ(ū·ī / √D) ī
    global  = σ([u‖ū]·[i‖ī] / √(2D)) [i‖ī]
    i_all   = MLP([self ‖ similar ‖ global])            4D → d

Two exact identities make it cheap:

1. [u‖ū]·[i‖ī] = u·i + ū·ī, so two dot products give all three logits;
2. the first layer splits by blocks, W[self‖similar‖global] = w_s W_s i + w_m W_m ī + w_g W_g [i‖ī], so
   an item is projected once for all users, and a pair costs three multiply-adds of the hidden width.

For scoring, the last layer folds into the query: o·(W₂ a + b₂) = (W₂ᵀo)·a + o·b₂.

Shape suffixes: N pairs, P parts of the attention, E distinct items, D embedding width, H hidden
width of the MLP, d backbone width, B users, M items of the catalogue.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from grasp_bench.models.layout import Layout, Packing

FLOATS_AT_ONCE = 1 << 19  # of the hidden layer: 2 MB, near a CPU's caches
FLOATS_AT_ONCE_GPU = 1 << 26


def user_scores(
    query_SH: Tensor, weights_BNP: Tensor, projected_NPH: Tensor, bias_H: Tensor, packing: Packing
) -> Tensor:
    """Return scores (S, N) of N items under S queries.

    A user's hidden layer is computed once for all its queries, and again in the backward pass, not kept.
    """
    return _UserScores.apply(query_SH, weights_BNP, projected_NPH, bias_H, packing)


class _UserScores(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, query_SH: Tensor, weights_BNP: Tensor, projected_NPH: Tensor, bias_H: Tensor,
        packing: Packing,
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(query_SH, weights_BNP, projected_NPH, bias_H)
        ctx.packing = packing  # type: ignore[attr-defined]
        query_PH = packing.pad(query_SH)
        scores_PN = query_SH.new_empty(packing.slots, projected_NPH.shape[0])
        for slots, users, each in _blocks(packing, projected_NPH):
            hidden_bNH = _hidden(weights_BNP[users], projected_NPH, bias_H)
            query_bsH = query_PH[slots].view(-1, each, query_PH.shape[1])
            scores_bsN = scores_PN[slots].view(-1, each, scores_PN.shape[1])
            torch.bmm(query_bsH, hidden_bNH.transpose(1, 2), out=scores_bsN)
        return packing.unpad(scores_PN)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad_SN: Tensor) -> tuple[Tensor | None, ...]:
        query_SH, weights_BNP, projected_NPH, bias_H = ctx.saved_tensors  # type: ignore[attr-defined]
        packing = ctx.packing  # type: ignore[attr-defined]
        learns_weights = ctx.needs_input_grad[1]  # type: ignore[attr-defined]
        query_PH = packing.pad(query_SH)
        grad_PN = packing.pad(grad_SN).mul_(packing.valid_P[:, None])  # empty slots have no gradient
        grad_query_PH = torch.empty_like(query_PH)
        grad_projected, grad_bias_H = torch.zeros_like(projected_NPH), torch.zeros_like(bias_H)
        grad_weights = torch.empty_like(weights_BNP) if learns_weights else None
        for slots, users, each in _blocks(packing, projected_NPH):
            weights_bNP = weights_BNP[users]
            hidden_bNH = _hidden(weights_bNP, projected_NPH, bias_H)
            grad_bsN = grad_PN[slots].view(-1, each, grad_PN.shape[1])
            query_bsH = query_PH[slots].view(-1, each, query_PH.shape[1])
            torch.bmm(grad_bsN, hidden_bNH, out=grad_query_PH[slots].view_as(query_bsH))
            grad_hidden = torch.bmm(grad_bsN.transpose(1, 2), query_bsH).mul_(hidden_bNH.sign_())
            grad_bias_H += grad_hidden.sum((0, 1))
            grad_hidden_NbH = grad_hidden.transpose(0, 1)
            grad_projected.baddbmm_(weights_bNP.permute(1, 2, 0), grad_hidden_NbH)
            if grad_weights is not None:
                seen_NbP = torch.bmm(grad_hidden_NbH, projected_NPH.transpose(1, 2))
                grad_weights[users] = seen_NbP.transpose(0, 1)
        return packing.unpad(grad_query_PH), grad_weights, grad_projected, grad_bias_H, None


def _blocks(packing: Packing, projected_NPH: Tensor) -> Iterator[tuple[slice, slice, int]]:
    """Yield slots and users of a block, and the number of slots of each user."""
    items, _, width = projected_NPH.shape
    floats = FLOATS_AT_ONCE if projected_NPH.device.type == "cpu" else FLOATS_AT_ONCE_GPU
    at_once = max(1, floats // (items * width))
    user = 0
    for first, size, count in packing.classes:
        for start in range(0, count, at_once):
            several = min(at_once, count - start)
            begin = first + start * size
            yield slice(begin, begin + several * size), slice(user, user + several), size
            user += several


def _hidden(weights_bNP: Tensor, projected_NPH: Tensor, bias_H: Tensor) -> Tensor:
    """Return the hidden layer (b, N, H)."""
    users, items, parts = weights_bNP.shape
    bags = torch.arange(items * parts, device=weights_bNP.device).view(items, parts).repeat(users, 1)
    hidden = F.embedding_bag(
        bags, projected_NPH.flatten(0, 1), per_sample_weights=weights_bNP.reshape(-1, parts), mode="sum"
    )
    return hidden.add_(bias_H).relu_().view(users, items, -1)


Part = Literal["self", "similar", "global"]
PARTS: tuple[Part, ...] = ("self", "similar", "global")
# Pairs whose hidden layer is computed at once when a catalogue is scored: on a CPU 2¹³ × 64 floats
# are 2 MB, which fit its caches in few calls; on a GPU few launches matter most.
PAIRS_PER_BLOCK_CPU = 1 << 13
PAIRS_PER_BLOCK_GPU = 1 << 21


@dataclass(frozen=True)
class HolisticAttentionShape:
    """The parts of the attention and the shape of the MLP."""

    dim: int
    width: int
    parts: tuple[Part, ...] = PARTS
    depth: int = 2
    hidden: int | None = None
    scale: Literal["fixed", "learnable"] = "fixed"
    scale_init: float = 1.0


class HolisticAttention(nn.Module):
    """Fuses own, neighbour and global item embeddings, each with one weight per (user, item).

    Args:
        shape: see `HolisticAttentionShape`; `parts` are Table 4's switches.
    """

    def __init__(self, shape: HolisticAttentionShape) -> None:
        super().__init__()
        self.shape = shape
        self.hidden = shape.hidden or shape.width
        first_width = self.hidden if shape.depth > 1 else shape.width
        blocks = sum(2 if part == "global" else 1 for part in shape.parts)
        self.first = nn.Linear(blocks * shape.dim, first_width)
        inner = [nn.Linear(self.hidden, self.hidden) for _ in range(shape.depth - 2)]
        self.inner = nn.ModuleList(inner)
        self.last = nn.Linear(self.hidden, shape.width) if shape.depth > 1 else None
        for layer in (self.first, *inner, *([self.last] if self.last else [])):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
        log_scale = torch.full((len(shape.parts),), math.log(shape.scale_init))
        if shape.scale == "learnable":
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale, persistent=False)

    def logits(self, dots_2: Tensor) -> Tensor:
        """Turn dot products u·i and ū·ī, (…, 2), into scaled logits of eq. 4, (…, parts)."""
        own_similar = {"self": (1.0, 0.0), "similar": (0.0, 1.0), "global": (0.5**0.5, 0.5**0.5)}
        mix_2P = dots_2.new_tensor([own_similar[part] for part in self.shape.parts]).T
        return dots_2 @ (mix_2P * (self.log_scale.exp() / math.sqrt(self.shape.dim)))

    def project(self, items_ED: Tensor, neighbours_ED: Tensor) -> Tensor:
        """Apply each part's block of the first layer to E items: (E, parts, H)."""
        weight = dict(zip(self._block_names(), self._blocks(), strict=True))
        by_source: list[tuple[Tensor, list[str]]] = [
            (items_ED, [name for name in ("self", "global_own") if name in weight]),
            (neighbours_ED, [name for name in ("similar", "global_similar") if name in weight]),
        ]
        projected: dict[str, Tensor] = {}
        for source_ED, names in by_source:
            if names:  # one product for both blocks that read the same source
                together = source_ED @ torch.cat([weight[name] for name in names]).T
                projected.update(zip(names, together.chunk(len(names), dim=-1), strict=True))
        if "global" in self.shape.parts:
            projected["global"] = projected["global_own"] + projected["global_similar"]
        return torch.stack([projected[part] for part in self.shape.parts], dim=1)

    def fuse(self, weights_NP: Tensor, projected_EPH: Tensor, index_N: Tensor) -> Tensor:
        """Return item vectors (N, d) of N pairs, each with its weights and the row of its item."""
        if self.last is None:
            return self._first(weights_NP, projected_EPH, index_N)
        return self.last(self._hidden(weights_NP, projected_EPH, index_N))

    def score(
        self, states_Bd: Tensor, weights_BKP: Tensor, projected_EPH: Tensor, index_BK: Tensor
    ) -> Tensor:
        """Return scores (B, K) of K pairs for each of B states, without computing item vectors."""
        users, items = index_BK.shape
        weights_NP, index_N = weights_BKP.flatten(0, 1), index_BK.flatten()
        if self.last is None:
            vectors_BKd = self._first(weights_NP, projected_EPH, index_N).view(users, items, -1)
            return (vectors_BKd @ states_Bd.unsqueeze(-1)).squeeze(-1)
        query_BH1 = (states_Bd @ self.last.weight).unsqueeze(-1)
        hidden_BKH = self._hidden(weights_NP, projected_EPH, index_N).view(users, items, -1)
        return (hidden_BKH @ query_BH1).squeeze(-1) + (states_Bd @ self.last.bias)[:, None]

    def score_by_user(
        self, states_Sd: Tensor, sequence_S: Tensor, weights_BNP: Tensor, projected_NPH: Tensor
    ) -> Tensor:
        """Return scores (S, N) of N items under S states; `sequence_S`, ascending, is the user of each state.

        A user's hidden layer is computed once for all its states: on Beauty 6 times fewer than once a state.
        """
        present, counts = sequence_S.unique_consecutive(return_counts=True)
        packing = Layout(counts).packing()
        weights_BNP = weights_BNP[present[packing.order_B.to(present.device)]].to(projected_NPH.dtype)
        if self.last is None or self.inner:
            return self._score_pairs(states_Sd, packing, weights_BNP, projected_NPH)
        scores_SN = user_scores(
            states_Sd @ self.last.weight, weights_BNP, projected_NPH, self.first.bias, packing
        )
        return scores_SN + (states_Sd @ self.last.bias)[:, None]

    def _score_pairs(
        self, states_Sd: Tensor, packing: Packing, weights_BNP: Tensor, projected_NPH: Tensor
    ) -> Tensor:
        """Score like `score_by_user` for any depth, with the vectors of all pairs of user and item."""
        users, items = weights_BNP.shape[:2]
        index_BN = torch.arange(items, device=states_Sd.device).expand(users, -1)
        vectors_BNd = self.fuse(weights_BNP.flatten(0, 1), projected_NPH, index_BN.flatten())
        counts = [count for _, _, count in packing.classes]
        padded_Pd, parts, end = packing.pad(states_Sd), [], 0
        for (first, size, count), vectors_bNd in zip(
            packing.classes, vectors_BNd.view(users, items, -1).split(counts), strict=True
        ):
            parts.append(states_Sd.new_empty(first - end, items))  # the empty rest of a row
            end = first + size * count
            states_bsd = padded_Pd[first:end].view(count, size, -1)
            parts.append((states_bsd @ vectors_bNd.transpose(1, 2)).flatten(0, 1))
        return packing.unpad(torch.cat(parts))

    def score_catalogue(self, states_Bd: Tensor, weights_BMP: Tensor, projected_MPH: Tensor) -> Tensor:
        """Return scores (B, M) of all M items under states (B, d) and weights (B, M, parts)."""
        if self.last is None:
            per_part_BPM = torch.einsum("bh,mph->bpm", states_Bd, projected_MPH)
            scores_BM = torch.einsum("bpm,bmp->bm", per_part_BPM, weights_BMP)
            return scores_BM + (states_Bd @ self.first.bias)[:, None]
        users, items = weights_BMP.shape[:2]
        rows_M = torch.arange(items, device=states_Bd.device)
        if torch.compiler.is_exporting():  # the number of users is unknown: no blocks
            return self.score(states_Bd, weights_BMP, projected_MPH, rows_M.expand(users, -1))
        scores_BM = states_Bd.new_empty(users, items)
        pairs = PAIRS_PER_BLOCK_CPU if states_Bd.device.type == "cpu" else PAIRS_PER_BLOCK_GPU
        several = max(1, pairs // items)
        for first in range(0, users, several):
            some = slice(first, first + several)
            for start in range(0, items, pairs):
                block = slice(start, start + pairs)
                weights_BKP = weights_BMP[some, block]
                index_BK = rows_M[block].expand(len(weights_BKP), -1)
                scores_BM[some, block] = self.score(states_Bd[some], weights_BKP, projected_MPH, index_BK)
        return scores_BM

    def _first(self, weights_NP: Tensor, projected_EPH: Tensor, index_N: Tensor) -> Tensor:
        """Return the first layer of N pairs, (N, H): a weighted sum of the item's projected parts."""
        parts = projected_EPH.shape[1]
        bags_NP = index_N[:, None] * parts + torch.arange(parts, device=index_N.device)
        table = projected_EPH.flatten(0, 1)
        # Under autocast projections are bfloat16 while weights may not be; `embedding_bag` needs one type.
        bag_NH = F.embedding_bag(bags_NP, table, per_sample_weights=weights_NP.to(table.dtype), mode="sum")
        return bag_NH.add_(self.first.bias)

    def _hidden(self, weights_NP: Tensor, projected_EPH: Tensor, index_N: Tensor) -> Tensor:
        """Return the input of the last layer, (N, H)."""
        hidden_NH = torch.relu_(self._first(weights_NP, projected_EPH, index_N))
        for layer in self.inner:
            hidden_NH = torch.relu_(layer(hidden_NH))
        return hidden_NH

    def _block_names(self) -> list[str]:
        """Return names of the first layer's column blocks, in the order of eq. 5's concatenation."""
        names: list[str] = []
        for part in self.shape.parts:
            names += ["global_own", "global_similar"] if part == "global" else [part]
        return names

    def _blocks(self) -> tuple[Tensor, ...]:
        return self.first.weight.split(self.shape.dim, dim=1)


def pair_dots(own_users: Tensor, similar_users: Tensor, own_items: Tensor, similar_items: Tensor) -> Tensor:
    """Return u·i and ū·ī of aligned rows (…, D): (…, 2)."""
    return torch.stack([(own_users * own_items).sum(-1), (similar_users * similar_items).sum(-1)], dim=-1)

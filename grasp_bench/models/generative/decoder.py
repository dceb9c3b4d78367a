"""Transformer decoder of codes, with caches, and the memory that it attends to.

Shape suffixes: B users, W prefixes of each, L tokens of a prefix, P tokens cached, M tokens of the
memory, H heads, D width of all heads, d of one (D = H · d).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grasp_bench.models.backbones.attention_block import FeedForward
from grasp_bench.models.layers import dropout
from grasp_bench.models.layout import Layout

Pair = tuple[Tensor, Tensor]  # keys and values


@dataclass(frozen=True)
class Memory:
    """What a decoder attends to: for each of its layers keys and values (B, H, M, d), and which tokens exist,
    (B, M).

    A decoder that goes on from a history itself has also its last state (B, D), and the place (B,) of
    the item that comes next.
    """

    layers: list[Pair]
    exists_BM: Tensor
    last_Bd: Tensor | None = None
    place_B: Tensor | None = None

    def __len__(self) -> int:
        return len(self.exists_BM)

    def blocks(self, users: int) -> Iterator[tuple[slice, Memory]]:
        """Yield the memories of so many users at a time, without tokens that none of them has."""
        for start in range(0, len(self), users):
            rows = slice(start, start + users)
            exists_BM = self.exists_BM[rows]
            longest = int(exists_BM.sum(1).max())
            parts = [(k[rows, :, :longest], v[rows, :, :longest]) for k, v in self.layers]
            further = [None if each is None else each[rows] for each in (self.last_Bd, self.place_B)]
            yield rows, Memory(parts, exists_BM[:, :longest], *further)

    def behind(self, place_B: Tensor) -> Memory:
        """Return it with the place of the next item."""
        return replace(self, place_B=place_B)


# For each layer the keys and values (B, W, H, P, d) of the tokens so far.
Cache = list[Pair]


def chosen(cache: Cache, prefix_BW: Tensor) -> Cache:
    """Return the cache of these prefixes of each user."""

    def pick(x_BVHPd: Tensor) -> Tensor:
        index = prefix_BW[:, :, None, None, None].expand(-1, -1, *x_BVHPd.shape[2:])
        return x_BVHPd.gather(1, index)

    return [(pick(keys), pick(values)) for keys, values in cache]


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the memory and a feed-forward layer, each after a norm."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.self_norm, self.cross_norm, self.forward_norm = (nn.LayerNorm(width) for _ in range(3))
        self.query_key_value = nn.Linear(width, 3 * width)
        self.self_output = nn.Linear(width, width)
        self.cross_query = nn.Linear(width, width)
        self.memory_key_value = nn.Linear(width, 2 * width)
        self.cross_output = nn.Linear(width, width)
        self.feed_forward = FeedForward(width, hidden, dropout, "relu")

    def remember(self, memory_TD: Tensor, layout: Layout) -> Pair:
        """Return keys and values (B, H, M, d) of a memory; padding is not projected."""
        keys, values = layout.pad(self.memory_key_value(memory_TD)).chunk(2, dim=-1)
        return self._by_head(keys), self._by_head(values)

    def forward(
        self, x_BWLD: Tensor, memory: Pair, exists_BM: Tensor, cached: Pair | None
    ) -> tuple[Tensor, Pair]:
        """Return states (B, W, L, D), and keys and values of all tokens so far."""
        attended, cache = self._attend_self(self.self_norm(x_BWLD), cached)
        x_BWLD = x_BWLD + dropout(self.self_output(attended), self.dropout, self.training)
        crossed = self._attend_memory(self.cross_norm(x_BWLD), memory, exists_BM)
        x_BWLD = x_BWLD + dropout(self.cross_output(crossed), self.dropout, self.training)
        return x_BWLD + self.feed_forward(self.forward_norm(x_BWLD)), cache

    def _attend_self(self, x_BWLD: Tensor, cached: Pair | None) -> tuple[Tensor, Pair]:
        query, keys, values = (self._by_head(each) for each in self.query_key_value(x_BWLD).chunk(3, dim=-1))
        before = 0
        if cached is not None:
            before = cached[0].shape[-2]
            wide = (*keys.shape[:3], before, keys.shape[-1])
            keys = torch.cat([cached[0].expand(wide), keys], dim=-2)
            values = torch.cat([cached[1].expand(wide), values], dim=-2)
        tokens = query.shape[-2]
        mask = None
        if tokens > 1:  # a single new token sees all
            mask = torch.ones(tokens, before + tokens, dtype=torch.bool, device=query.device).tril(before)
        attended = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
        return attended.transpose(-3, -2).flatten(-2), (keys, values)

    def _attend_memory(self, x_BWLD: Tensor, memory: Pair, exists_BM: Tensor) -> Tensor:
        prefixes, tokens = x_BWLD.shape[1:3]
        query_BHQd = self._by_head(self.cross_query(x_BWLD).flatten(1, 2))
        attended = F.scaled_dot_product_attention(query_BHQd, *memory, attn_mask=exists_BM[:, None, None])
        return attended.transpose(1, 2).flatten(2).unflatten(1, (prefixes, tokens))

    def _by_head(self, x: Tensor) -> Tensor:
        """Split heads: (…, L, D) to (…, H, L, d)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(-3, -2)


class Decoder(nn.Module):
    """Layers of a decoder and a final norm."""

    def __init__(self, layers: int, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(width, heads, hidden, dropout) for _ in range(layers))
        self.final_norm = nn.LayerNorm(width)

    def remember(self, memory_TD: Tensor, layout: Layout) -> Memory:
        """Prepare the memory (T, D) that all prefixes of a user share."""
        return Memory([layer.remember(memory_TD, layout) for layer in self._layers()], layout.mask())

    def forward(self, x_BWLD: Tensor, memory: Memory, cache: Cache | None = None) -> tuple[Tensor, Cache]:
        """Return states (B, W, L, D) of tokens that follow those of the cache, and the cache with them."""
        kept: Cache = []
        for number, (layer, pair) in enumerate(zip(self._layers(), memory.layers, strict=True)):
            x_BWLD, new = layer(x_BWLD, pair, memory.exists_BM, None if cache is None else cache[number])
            kept.append(new)
        return self.final_norm(x_BWLD), kept

    def _layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]

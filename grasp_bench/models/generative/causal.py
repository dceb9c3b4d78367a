"""Causal transformer over packed histories, which new tokens may follow.

Shape suffixes: B users, T tokens of all histories, W prefixes of each user, L new tokens, P new tokens
cached, M tokens of the longest history, H heads, D width of all heads, d of one (D = H · d).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from grasp_bench.models.backbones.attention_block import FeedForward, attend, attend_by_torch
from grasp_bench.models.generative.decoder import Cache, Memory, Pair
from grasp_bench.models.layers import dropout
from grasp_bench.models.layout import Layout


class CausalLayer(nn.Module):
    """Causal self-attention and feed-forward, each after a norm."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.attention_norm, self.forward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)
        self.feed_forward = FeedForward(width, hidden, dropout, "relu")

    def forward(self, x_TD: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """Return states (T, D) of histories, and their keys and values (T, 2 D)."""
        normed_TD, packing = self.attention_norm(x_TD), layout.packing()
        query_TD, key_value_T2D = self.query(normed_TD), self.key_value(normed_TD)
        dropped = self.dropout if self.training else 0.0
        attending = attend if packing.spelled_out and torch.is_grad_enabled() else attend_by_torch
        mixed_TD = attending(query_TD, key_value_T2D, packing, self.heads, True, dropped)
        return self._behind(x_TD, mixed_TD), key_value_T2D

    def extend(
        self, x_BWLD: Tensor, memory: Pair, exists_BM: Tensor, cached: Pair | None
    ) -> tuple[Tensor, Pair]:
        """Return states (B, W, L, D) of new tokens, which see a user's history and the new ones before
        them, and keys and values (B, W, H, P + L, d) of the new ones."""
        normed = self.attention_norm(x_BWLD)
        query, keys, values = (
            self._by_head(each) for each in (self.query(normed), *self.key_value(normed).chunk(2, dim=-1))
        )
        before = 0
        if cached is not None:
            before = cached[0].shape[-2]
            keys, values = torch.cat([cached[0], keys], dim=-2), torch.cat([cached[1], values], dim=-2)
        prefixes, tokens = x_BWLD.shape[1:3]
        query = query * query.shape[-1] ** -0.5
        # All prefixes share the history, whose keys are not repeated for them.
        old = query.transpose(1, 2).flatten(2, 3) @ memory[0].transpose(-2, -1)
        old = old.masked_fill(~exists_BM[:, None, None], -torch.inf).unflatten(2, (prefixes, tokens))
        hidden = torch.ones(tokens, before + tokens, dtype=torch.bool, device=query.device).triu(before + 1)
        new = (query @ keys.transpose(-2, -1)).masked_fill(hidden, -torch.inf)
        weights = torch.cat([old.transpose(1, 2), new], dim=-1).softmax(-1)
        old, new = weights.split([memory[0].shape[-2], before + tokens], dim=-1)
        mixed = (
            (old.transpose(1, 2).flatten(2, 3) @ memory[1]).unflatten(2, (prefixes, tokens)).transpose(1, 2)
        )
        mixed = (mixed + new @ values).transpose(-3, -2).flatten(-2)
        return self._behind(x_BWLD, mixed), (keys, values)

    def _behind(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = x + dropout(self.output(mixed), self.dropout, self.training)
        return x + self.feed_forward(self.forward_norm(x))

    def _by_head(self, x: Tensor) -> Tensor:
        """Split heads: (…, L, D) to (…, H, L, d)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(-3, -2)


class CausalTransformer(nn.Module):
    """Layers and a final norm."""

    def __init__(self, layers: int, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.layers = nn.ModuleList(CausalLayer(width, heads, hidden, dropout) for _ in range(layers))
        self.final_norm = nn.LayerNorm(width)

    def forward(self, x_TD: Tensor, layout: Layout) -> Tensor:
        """Turn tokens (T, D) into states (T, D)."""
        for layer in self._layers():
            x_TD = layer(x_TD, layout)[0]
        return self.final_norm(x_TD)

    def remember(self, x_TD: Tensor, layout: Layout) -> Memory:
        """Read histories (T, D) that tokens may follow."""
        pairs: list[Pair] = []
        for layer in self._layers():
            x_TD, key_value_T2D = layer(x_TD, layout)
            keys, values = layout.pad(key_value_T2D).chunk(2, dim=-1)
            by_head = [each.unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in (keys, values)]
            pairs.append((by_head[0], by_head[1]))
        return Memory(pairs, layout.mask(), self.final_norm(x_TD)[layout.last_B])

    def extend(self, x_BWLD: Tensor, memory: Memory, cache: Cache | None) -> tuple[Tensor, Cache]:
        """Return states (B, W, L, D) of tokens that follow the history and those of the cache, and the
        cache."""
        kept: Cache = []
        for number, (layer, pair) in enumerate(zip(self._layers(), memory.layers, strict=True)):
            cached = None if cache is None else cache[number]
            x_BWLD, new = layer.extend(x_BWLD, pair, memory.exists_BM, cached)
            kept.append(new)
        return self.final_norm(x_BWLD), kept

    def _layers(self) -> list[CausalLayer]:
        return [layer for layer in self.layers if isinstance(layer, CausalLayer)]

"""Sequences without padding: tokens lie flat, and a layout says where each sequence begins.

Shape suffixes: B sequences, T tokens of all of them together, L the longest, d hidden width.
Only attention and recurrence need the (B, L) rectangle; every other layer works on the T tokens
that exist. On Beauty (mean length 6, longest near 100) the rectangle is mostly empty.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Layout:
    """Where B sequences of given lengths lie in T flat tokens.

    Args:
        lengths_B: int64, each at least 1, on any device.

    Attributes:
        starts_B: index of each sequence's first token.
        last_B: index of each sequence's last token.
        sequence_T: which sequence a token belongs to.
        position_T: its position in that sequence, from 0.
        longest: L, a Python int.
    """

    def __init__(self, lengths_B: Tensor) -> None:
        device = lengths_B.device
        self.lengths_B = lengths_B
        ends_B = lengths_B.cumsum(0)
        self.starts_B = ends_B - lengths_B
        self.last_B = ends_B - 1
        self.sequence_T = torch.repeat_interleave(torch.arange(len(lengths_B), device=device), lengths_B)
        self.position_T = torch.arange(len(self.sequence_T), device=device) - self.starts_B[self.sequence_T]
        self.longest = int(lengths_B.max())
        self._buckets: list[tuple[Tensor, Layout]] | None = None
        self._slot_T = self.sequence_T * self.longest + self.position_T

    @property
    def batch(self) -> int:
        """B, the number of sequences."""
        return len(self.lengths_B)

    def pad(self, x_TD: Tensor) -> Tensor:
        """Lay tokens out as (B, L, D), each sequence at the left, zeros behind it."""
        padded = x_TD.new_zeros(self.batch * self.longest, *x_TD.shape[1:])
        return padded.index_copy(0, self._slot_T, x_TD).view(self.batch, self.longest, *x_TD.shape[1:])

    def unpad(self, x_BLD: Tensor) -> Tensor:
        """The inverse of `pad`: (B, L, D) to (T, D)."""
        return x_BLD.reshape(self.batch * self.longest, *x_BLD.shape[2:]).index_select(0, self._slot_T)

    def by_length(self) -> list[tuple[Tensor, Layout]]:
        """Sequences of similar length together: (tokens of the bucket (t,), their own layout).

        Attention on the rectangle of one bucket wastes less than twice a sequence's length, where the
        batch's own longest would waste most of it. Computed once a batch, used by every layer.
        """
        if self._buckets is None:
            bucket_B = (self.lengths_B - 1).clamp_min(1).log2().floor().clamp_min(2).long()
            bucket_T = bucket_B[self.sequence_T]
            self._buckets = [
                ((bucket_T == bucket).nonzero().squeeze(1), Layout(self.lengths_B[bucket_B == bucket]))
                for bucket in bucket_B.unique().tolist()
            ]
        return self._buckets

    def mask(self) -> Tensor:
        """(B, L) bool, True where there is a token."""
        return torch.arange(self.longest, device=self.lengths_B.device) < self.lengths_B[:, None]


def gather_sequences(starts_B: Tensor, lengths_B: Tensor) -> tuple[Tensor, Layout]:
    """Index (T,) into a flat array of the sequences that begin at `starts_B`, and their layout."""
    layout = Layout(lengths_B)
    return starts_B[layout.sequence_T] + layout.position_T, layout

"""Sequences without padding: tokens lie flat, and a layout says where each sequence begins.

Shape suffixes: B sequences, T tokens of all of them together, L the longest, d hidden width.
Only attention and recurrence need the (B, L) rectangle; every other layer works on the T tokens
that exist. On Beauty (mean length 6, longest near 100) the rectangle is mostly empty.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

EXACT_UP_TO = 12  # longer sequences share a padded bucket with others of their size: there are few of each


class Layout:
    """Where B sequences of given lengths lie in T flat tokens.

    Args:
        lengths_B: int64, each at least 1, on any device.
        ascending: the caller's word that lengths never fall. Sequences of equal length then lie side by
            side, and attention takes them as they lie.

    Attributes:
        starts_B: index of each sequence's first token.
        last_B: index of each sequence's last token.
        sequence_T: which sequence a token belongs to.
        position_T: its position in that sequence, from 0.
        longest: L, a Python int.
    """

    def __init__(self, lengths_B: Tensor, ascending: bool = False) -> None:
        device = lengths_B.device
        self.lengths_B = lengths_B
        self.ascending = ascending
        ends_B = lengths_B.cumsum(0)
        self.starts_B = ends_B - lengths_B
        self.last_B = ends_B - 1
        self.sequence_T = torch.repeat_interleave(torch.arange(len(lengths_B), device=device), lengths_B)
        self.position_T = torch.arange(len(self.sequence_T), device=device) - self.starts_B[self.sequence_T]
        self.longest = int(lengths_B.max())
        self.is_rectangle = len(self.sequence_T) == len(lengths_B) * self.longest
        self._buckets: list[tuple[Tensor | slice, Layout]] | None = None
        self._packing: tuple[Tensor, Tensor] | None = None
        self._slot_T = self.sequence_T * self.longest + self.position_T

    @property
    def batch(self) -> int:
        """B, the number of sequences."""
        return self.lengths_B.shape[0]

    def pad(self, x_TD: Tensor) -> Tensor:
        """Lay tokens out as (B, L, D), each sequence at the left, zeros behind it."""
        if self.is_rectangle:
            return x_TD.unflatten(0, (self.batch, self.longest))
        padded = x_TD.new_zeros(self.batch * self.longest, *x_TD.shape[1:])
        return padded.index_copy(0, self._slot_T, x_TD).view(self.batch, self.longest, *x_TD.shape[1:])

    def unpad(self, x_BLD: Tensor) -> Tensor:
        """The inverse of `pad`: (B, L, D) to (T, D)."""
        if self.is_rectangle:
            return x_BLD.flatten(0, 1)
        return x_BLD.reshape(self.batch * self.longest, *x_BLD.shape[2:]).index_select(0, self._slot_T)

    def from_end_T(self) -> Tensor:
        """Each token's position counted from the last of its sequence, which is at 0: (T,)."""
        return self.lengths_B[self.sequence_T] - 1 - self.position_T

    def recur(self, layer: nn.GRU, x_TD: Tensor) -> Tensor:
        """States (T, d) of a recurrent layer that begins anew with each sequence."""
        # Packed straight from the flat tokens: a padded rectangle between would be mostly empty.
        order_T, batch_sizes_L = self.packing()
        packed = PackedSequence(x_TD.index_select(0, order_T), batch_sizes_L.cpu())
        states_TD = layer(packed)[0].data
        return torch.empty_like(states_TD).index_copy(0, order_T, states_TD)

    def one_more(self, x_TD: Tensor, longest: int) -> tuple[Tensor, Tensor, Layout]:
        """Room for a token behind each sequence: tokens with zeros there, where that is (bool), their layout.

        The oldest token of a sequence of `longest` goes, so that none becomes longer.
        """
        kept_T = self.lengths_B[self.sequence_T] - self.position_T < longest
        extended = Layout(self.lengths_B.clamp_max(longest - 1) + 1)
        is_new_T = torch.zeros(len(extended.sequence_T), dtype=torch.bool, device=x_TD.device)
        is_new_T[extended.last_B] = True
        with_room = x_TD.new_zeros(len(is_new_T), x_TD.shape[1])
        return with_room.index_copy(0, (~is_new_T).nonzero().squeeze(1), x_TD[kept_T]), is_new_T, extended

    def packing(self) -> tuple[Tensor, Tensor]:
        """The order (T,) of tokens in a `PackedSequence`, and its batch sizes (L,): all first tokens, longest
        sequence first, then all second ones. Computed once a batch."""
        if self._packing is None:
            by_length_B = self.lengths_B.argsort(descending=True, stable=True)
            place_B = torch.empty_like(by_length_B)
            place_B[by_length_B] = torch.arange(self.batch, device=place_B.device)
            order_T = (self.position_T * self.batch + place_B[self.sequence_T]).argsort()
            self._packing = order_T, self.position_T.bincount(minlength=self.longest)
        return self._packing

    def by_length(self) -> list[tuple[Tensor | slice, Layout]]:
        """Sequences of similar length together: (tokens of the bucket (t,), their own layout). The tokens
        of ascending sequences are slices, one behind the other.

        Attention on the rectangle of one bucket wastes less than twice a sequence's length, where the
        batch's own longest would waste most of it. Computed once a batch, used by every layer.
        """
        if self._buckets is None:
            self._buckets = self._slices() if self.ascending else self._scattered()
        return self._buckets

    def _scattered(self) -> list[tuple[Tensor | slice, Layout]]:
        bucket_B = (self.lengths_B - 1).clamp_min(1).log2().floor().clamp_min(2).long()
        bucket_T = bucket_B[self.sequence_T]
        return [
            ((bucket_T == bucket).nonzero().squeeze(1), Layout(self.lengths_B[bucket_B == bucket]))
            for bucket in bucket_B.unique().tolist()
        ]

    def _slices(self) -> list[tuple[Tensor | slice, Layout]]:
        size_B = torch.where(
            self.lengths_B <= EXACT_UP_TO, self.lengths_B, EXACT_UP_TO + (self.lengths_B - 1).log2().long()
        )
        buckets: list[tuple[Tensor | slice, Layout]] = []
        first = 0
        for lengths in self.lengths_B.split(size_B.unique_consecutive(return_counts=True)[1].tolist()):
            bucket = Layout(lengths, ascending=True)
            buckets.append((slice(first, first + len(bucket.sequence_T)), bucket))
            first += len(bucket.sequence_T)
        return buckets

    def mask(self) -> Tensor:
        """(B, L) bool, True where there is a token."""
        return torch.arange(self.longest, device=self.lengths_B.device) < self.lengths_B[:, None]


def gather_sequences(starts_B: Tensor, lengths_B: Tensor, ascending: bool = False) -> tuple[Tensor, Layout]:
    """Index (T,) into a flat array of the sequences that begin at `starts_B`, and their layout."""
    layout = Layout(lengths_B, ascending)
    return starts_B[layout.sequence_T] + layout.position_T, layout

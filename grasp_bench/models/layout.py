"""Layout of sequences without padding: tokens are flat, and a layout holds the start of each sequence.

Shape suffixes: B sequences, T tokens of all of them together, L the longest, d hidden width.
Attention works on packed rows (`packing`), recurrence on packed steps; every other layer works on the T
tokens that exist. On Beauty (mean length 6, longest near 100) a (B, L) rectangle is mostly empty.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from grasp_bench.models.packing import Packing


class Layout:
    """Positions of B sequences of given lengths in T flat tokens.

    Args:
        lengths_B: int64, each at least 1, on any device.
        host_lengths_B: the same on the CPU, if the caller has them; else they are copied from the device,
            which forces a synchronisation.

    Attributes:
        starts_B: index of each sequence's first token.
        last_B: index of each sequence's last token.
        sequence_T: the sequence of each token.
        position_T: its position in that sequence, from 0.
        longest: L, a Python int.
    """

    def __init__(self, lengths_B: Tensor, host_lengths_B: Tensor | None = None) -> None:
        device = lengths_B.device
        self.lengths_B = lengths_B
        self._host_lengths_B = lengths_B.cpu() if host_lengths_B is None else host_lengths_B
        ends_B = lengths_B.cumsum(0)
        self.starts_B = ends_B - lengths_B
        self.last_B = ends_B - 1
        tokens = int(self._host_lengths_B.sum())
        sequences = torch.arange(len(lengths_B), device=device)
        self.sequence_T = torch.repeat_interleave(sequences, lengths_B, output_size=tokens)
        self.position_T = torch.arange(tokens, device=device) - self.starts_B[self.sequence_T]
        self.longest = int(self._host_lengths_B.max())
        self.is_rectangle = tokens == len(lengths_B) * self.longest
        self._attention: Packing | None = None
        self._recurrence: tuple[Tensor, Tensor] | None = None

    @property
    def batch(self) -> int:
        """Return B, the number of sequences."""
        return self.lengths_B.shape[0]

    def pad(self, x_TD: Tensor) -> Tensor:
        """Pad tokens to (B, L, D), each sequence at the left with zeros after it."""
        if self.is_rectangle:
            return x_TD.unflatten(0, (self.batch, self.longest))
        padded = x_TD.new_zeros(self.batch * self.longest, *x_TD.shape[1:])
        return padded.index_copy(0, self._slots(), x_TD).view(self.batch, self.longest, *x_TD.shape[1:])

    def unpad(self, x_BLD: Tensor) -> Tensor:
        """Undo `pad`: (B, L, D) to (T, D)."""
        if self.is_rectangle:
            return x_BLD.flatten(0, 1)
        return x_BLD.reshape(self.batch * self.longest, *x_BLD.shape[2:]).index_select(0, self._slots())

    def from_end_T(self) -> Tensor:
        """Return each token's position counted from the end of its sequence, the last one 0: (T,)."""
        return self.lengths_B[self.sequence_T] - 1 - self.position_T

    def recur(self, layer: nn.GRU, x_TD: Tensor) -> Tensor:
        """Return states (T, d) of a recurrent layer that starts afresh for each sequence."""
        # Pack straight from the flat tokens: a padded rectangle in between would be mostly empty.
        order_T, batch_sizes_L = self.steps()
        packed = PackedSequence(x_TD.index_select(0, order_T), batch_sizes_L)
        states_TD = layer(packed)[0].data
        return torch.empty_like(states_TD).index_copy(0, order_T, states_TD)

    def one_more(self, x_TD: Tensor, longest: int) -> tuple[Tensor, Tensor, Layout]:
        """Append a zero token to each sequence; return the tokens, a mask of the new ones, and their layout.

        A sequence of length `longest` loses its oldest token, so that none becomes longer.
        """
        kept_T = self.lengths_B[self.sequence_T] - self.position_T < longest
        extended = Layout(self.lengths_B.clamp_max(longest - 1) + 1)
        is_new_T = torch.zeros(len(extended.sequence_T), dtype=torch.bool, device=x_TD.device)
        is_new_T[extended.last_B] = True
        with_room = x_TD.new_zeros(len(is_new_T), x_TD.shape[1])
        return with_room.index_copy(0, (~is_new_T).nonzero().squeeze(1), x_TD[kept_T]), is_new_T, extended

    def steps(self) -> tuple[Tensor, Tensor]:
        """Return the order (T,) of tokens in a `PackedSequence`, and its batch sizes (L,) on the CPU: all
        first tokens, longest sequence first, then all second ones. Computed once a batch."""
        if self._recurrence is None:
            lengths_B = self._host_lengths_B
            by_length_B = lengths_B.argsort(descending=True, stable=True)
            place_B = torch.empty_like(by_length_B)
            place_B[by_length_B] = torch.arange(self.batch)
            place_T = place_B.to(self.sequence_T.device, non_blocking=True)[self.sequence_T]
            order_T = (self.position_T * self.batch + place_T).argsort()
            still_there = self.batch - lengths_B.bincount(minlength=self.longest).cumsum(0)
            sizes_L = torch.cat([torch.tensor([self.batch]), still_there[1 : self.longest]])
            self._recurrence = order_T, sizes_L
        return self._recurrence

    def packing(self) -> Packing:
        """Return the packed rows for attention. Computed once a batch, used by every layer."""
        if self._attention is None:
            self._attention = Packing(self._host_lengths_B, self.sequence_T, self.position_T)
        return self._attention

    def mask(self) -> Tensor:
        """Return a mask (B, L), True where there is a token."""
        return torch.arange(self.longest, device=self.lengths_B.device) < self.lengths_B[:, None]

    def _slots(self) -> Tensor:
        """Return each token's index in the flattened (B, L) rectangle."""
        return self.sequence_T * self.longest + self.position_T


def gather_sequences(
    starts_B: Tensor, lengths_B: Tensor, host_lengths_B: Tensor | None = None
) -> tuple[Tensor, Layout]:
    """Return indices (T,) into a flat array for the sequences that start at `starts_B`, and their layout."""
    layout = Layout(lengths_B, host_lengths_B)
    return starts_B[layout.sequence_T] + layout.position_T, layout

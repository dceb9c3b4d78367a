"""Layout of sequences without padding, and their packing into rows of few widths.

Shape suffixes: B sequences, T tokens, P slots, R rows of W slots (P = R · W, summed over tiers), D width.
A sequence takes a power of two of slots, the longest ones first, so each starts at a multiple of its size and
none crosses the end of a row. Fewer than half of the slots are empty, except in a tier's last row.

Shape suffixes: B sequences, T tokens of all of them together, L the longest, d hidden width.
Attention works on packed rows (`packing`), recurrence on packed steps; every other layer works on the T
tokens that exist. On Beauty (mean length 6, longest near 100) a (B, L) rectangle is mostly empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

HIDDEN = -1e30  # finite: with −inf a slot that sees nothing would give NaN
NARROW = 16  # sequences up to here share rows of this width: longer rows would waste most products


@dataclass(frozen=True)
class Tier:
    """Rows of one width: slots from `first` to `first + rows · width`.

    `alone`: each row holds a single sequence, from its first slot.
    """

    first: int
    rows: int
    width: int
    alone: bool


class Packing:
    """The slot of each token.

    Args:
        lengths_B: int64, on the CPU, each at least 1.
        sequence_T: the sequence of each token, on any device.
        position_T: its position in it.

    Attributes:
        order_B: sequences in the order of their slots, on the CPU.
        classes: (first slot, slots of one sequence, sequences) for each size, in the order of slots.
        tiers: rows of slots, the widest first.
        slot_T: each token's slot.
        source_P: each slot's token; an empty slot repeats an arbitrary token.
        valid_P: 1.0, or 0.0 where a slot is empty.
        spelled_out: whether training computes attention by `packed_attention.attend`.
    """

    def __init__(self, lengths_B: Tensor, sequence_T: Tensor, position_T: Tensor) -> None:
        device = sequence_T.device
        self.spelled_out = device.type == "cpu"
        size_B = 1 << (lengths_B - 1).clamp_min(1).double().log2().floor().long().add(1)
        size_B[lengths_B == 1] = 1
        self.order_B = size_B.argsort(descending=True, stable=True)
        sizes, counts = size_B[self.order_B].unique_consecutive(return_counts=True)
        self.classes: list[tuple[int, int, int]] = []
        self.tiers: list[Tier] = []
        slots = 0
        for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
            if not self.tiers or (size <= NARROW < self.tiers[-1].width):
                slots = self._close(slots)
                self.tiers.append(Tier(slots, 0, size, alone=True))
            if size < self.tiers[-1].width:
                self.tiers[-1] = replace(self.tiers[-1], alone=False)
            self.classes.append((slots, size, count))
            slots += size * count
        self.slots = self._close(slots)
        first_B = torch.empty_like(size_B)
        first_B[self.order_B] = torch.cat(
            [torch.arange(first, first + size * count, size) for first, size, count in self.classes]
        )
        self.slot_T = first_B.to(device, non_blocking=True)[sequence_T] + position_T
        self.source_P = torch.zeros(self.slots, dtype=torch.int64, device=device)
        self.source_P[self.slot_T] = torch.arange(len(self.slot_T), device=device)
        self.valid_P = torch.zeros(self.slots, device=device)
        self.valid_P[self.slot_T] = 1.0
        owner_P = torch.full((self.slots,), -1)
        for (first, size, count), sequences in zip(
            self.classes, self.order_B.split(counts.tolist()), strict=True
        ):
            owner_P[first : first + size * count] = sequences.repeat_interleave(size)
        self._owner_P = owner_P.to(device, non_blocking=True)
        self._masks: dict[tuple[int, bool], Tensor] = {}

    def pad(self, x_TD: Tensor) -> Tensor:
        """Put tokens (T, D) in their slots (P, D); the values of empty slots are arbitrary."""
        return x_TD.index_select(0, self.source_P)

    def unpad(self, x_PD: Tensor) -> Tensor:
        """Undo `pad`."""
        return x_PD.index_select(0, self.slot_T)

    def rows(self, x_PD: Tensor) -> list[Tensor]:
        """Return each tier's rows (R, W, D)."""
        parts = x_PD.split([tier.rows * tier.width for tier in self.tiers])
        return [part.view(t.rows, t.width, -1) for part, t in zip(parts, self.tiers, strict=True)]

    def mask(self, tier: int, causal: bool) -> Tensor:
        """Return the additive mask of a tier's scores (R, W, W): 0 if a query may see a key, else `HIDDEN`.

        With `causal` later slots are hidden, which include the empty ones of a sequence.
        """
        if (tier, causal) not in self._masks:
            owner_P = self._owner_P
            keys_P = owner_P if causal else owner_P.masked_fill(self.valid_P == 0, -2)
            owner_RW1, key_RW1 = (self.rows(each[:, None])[tier] for each in (owner_P, keys_P))
            seen_RWW = self.valid_P.new_empty(*owner_RW1.shape[:2], owner_RW1.shape[1])
            torch.eq(owner_RW1, key_RW1.transpose(1, 2), out=seen_RWW)
            self._masks[tier, causal] = (seen_RWW.tril_() if causal else seen_RWW).sub_(1).mul_(-HIDDEN)
        return self._masks[tier, causal]

    def _close(self, slots: int) -> int:
        """Set the number of the last tier's rows and return the slot after them."""
        if not self.tiers:
            return 0
        last = self.tiers[-1]
        rows = -(-(slots - last.first) // last.width)
        self.tiers[-1] = replace(last, rows=rows)
        return last.first + rows * last.width


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

    def preceded_by(self, first_BCD: Tensor, x_TD: Tensor) -> tuple[Tensor, Tensor, Layout]:
        """Put C tokens before each sequence; return the tokens, the places (T,) of the old ones among
        them, and their layout."""
        more = first_BCD.shape[1]
        extended = Layout(self.lengths_B + more, self._host_lengths_B + more)
        place_T = extended.starts_B[self.sequence_T] + more + self.position_T
        first_BC = extended.starts_B[:, None] + torch.arange(more, device=place_T.device)
        whole = x_TD.new_zeros(len(extended.sequence_T), x_TD.shape[1])
        whole = whole.index_copy(0, place_T, x_TD)
        return (
            whole.index_copy(0, first_BC.flatten(), first_BCD.flatten(0, 1).to(x_TD.dtype)),
            place_T,
            extended,
        )

    def times(self, tokens: int) -> Layout:
        """Return the layout of sequences with so many tokens in place of each."""
        return Layout(self.lengths_B * tokens, self._host_lengths_B * tokens)

    def followed_by(self, x_T: Tensor, last_B: Tensor) -> tuple[Tensor, Layout]:
        """Put one more value behind each sequence; return the values and their layout."""
        extended = Layout(self.lengths_B + 1, self._host_lengths_B + 1)
        whole = x_T.new_empty(len(extended.sequence_T))
        whole[extended.starts_B[self.sequence_T] + self.position_T] = x_T
        whole[extended.last_B] = last_B
        return whole, extended

    def parts(self, count: int) -> Iterator[tuple[slice, slice, Layout]]:
        """Yield so many sequences at a time: which they are, which tokens are theirs, and their layout."""
        first = 0
        for start in range(0, self.batch, count):
            rows = slice(start, start + count)
            lengths_B, host = self.lengths_B[rows], self._host_lengths_B[rows]
            tokens = int(host.sum())
            yield rows, slice(first, first + tokens), Layout(lengths_B, host)
            first += tokens

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

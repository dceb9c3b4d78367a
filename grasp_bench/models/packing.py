"""Packing of sequences into rows of few widths, so that attention takes one or two products for all of them.

Shape suffixes: B sequences, T tokens, P slots, R rows of W slots (P = R · W, summed over tiers), D width.
A sequence takes a power of two of slots, the longest ones first, so each starts at a multiple of its size and
none crosses the end of a row. Fewer than half of the slots are empty, except in a tier's last row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

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

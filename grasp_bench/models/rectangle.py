"""Sequences with padding: the layout of a model that must not depend on how many there are and how long.

`torch.export` follows tensors whose sizes are symbols. A `Layout` reads lengths to know how many tokens there
are, which it cannot follow; a `Rectangle` takes the padding for tokens, and hides it where it would matter.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# A loop over a number of steps that is not known yet. Prototypes in torch.
from torch._higher_order_ops.scan import scan

from grasp_bench.models.layout import Layout
from grasp_bench.models.packing import HIDDEN, Packing, Tier


class Rectangle(Layout):
    """B sequences at the left of rows of one width L, padding behind them: T = B · L tokens.

    A model gives tokens the states that it gives them in a `Layout`; what it gives padding means nothing.
    For inference: a recurrent layer is taken apart and has no dropout between its own layers.

    Args:
        lengths_B: int64, from 1 to the width.
        width: L, possibly a symbol.
    """

    def __init__(self, lengths_B: Tensor, width: int) -> None:
        device, rows = lengths_B.device, lengths_B.shape[0]
        self.lengths_B = lengths_B
        self.starts_B = torch.arange(rows, device=device) * width
        self.last_B = self.starts_B + lengths_B - 1
        self.sequence_T = torch.arange(rows, device=device)[:, None].expand(rows, width).flatten()
        self.position_T = torch.arange(width, device=device).expand(rows, width).flatten()
        self.longest = width
        self.is_rectangle = False  # not all of it is there

    def pad(self, x_TD: Tensor) -> Tensor:
        """(T, …) as (B, L, …)."""
        return x_TD.unflatten(0, (self.batch, self.longest))

    def unpad(self, x_BLD: Tensor) -> Tensor:
        """(B, L, …) as (T, …)."""
        return x_BLD.flatten(0, 1)

    def from_end_T(self) -> Tensor:
        """As of a `Layout`; padding is at 0, too."""
        return super().from_end_T().clamp_min(0)

    def packing(self) -> Packing:
        """The rows as they are, a sequence in each."""
        return _AsItLies(self)

    def recur(self, layer: nn.GRU, x_TD: Tensor) -> Tensor:
        """States (T, d): `torch.export` would unroll the layer itself to the length it sees."""
        x_BLd = self.pad(x_TD)
        for number in range(layer.num_layers):
            x_BLd = _recurrent(layer, number, x_BLd)
        return self.unpad(x_BLd)

    def one_more(self, x_TD: Tensor, longest: int) -> tuple[Tensor, Tensor, Layout]:
        """As of a `Layout`, one wider."""
        x_BLD = self.pad(x_TD)
        kept_B1 = self.lengths_B[:, None].clamp_max(longest - 1)
        place_L = torch.arange(self.longest + 1, device=x_TD.device)
        source_BL = (place_L + self.lengths_B[:, None] - kept_B1).clamp_max(self.longest - 1)
        moved_BLD = x_BLD.gather(1, source_BL[:, :, None].expand(-1, -1, x_TD.shape[1]))
        extended = Rectangle(kept_B1[:, 0] + 1, self.longest + 1)
        is_new_BL = place_L == kept_B1
        return extended.unpad(moved_BLD), extended.unpad(is_new_BL), extended


class _AsItLies(Packing):
    """A rectangle's own rows: one tier, R = B, W = L."""

    def __init__(self, rectangle: Rectangle) -> None:
        self.rectangle = rectangle
        self.spelled_out = False
        self.tiers = [Tier(0, rectangle.batch, rectangle.longest, alone=True)]

    def pad(self, x_TD: Tensor) -> Tensor:
        """Every slot is there."""
        return x_TD

    def unpad(self, x_PD: Tensor) -> Tensor:
        """Every slot is there."""
        return x_PD

    def rows(self, x_PD: Tensor) -> list[Tensor]:
        """(B, L, D)."""
        return [self.rectangle.pad(x_PD)]

    def mask(self, tier: int, causal: bool) -> Tensor:
        """(B, 1, L) of what is no padding; a causal mask alone hides it from the tokens before it."""
        seen = self.rectangle.mask()[:, None, :]
        return torch.zeros_like(seen, dtype=torch.float32).masked_fill(~seen, HIDDEN)


def _recurrent(layer: nn.GRU, number: int, x_BLd: Tensor) -> Tensor:
    """One layer of a GRU over (B, L, d), step by step as torch defines it."""
    read, carry, read_bias, carry_bias = (
        getattr(layer, f"{name}_l{number}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )

    def step(state_Bd: Tensor, gates_BG: Tensor) -> tuple[Tensor, Tensor]:
        reset, update, new = gates_BG.chunk(3, dim=-1)
        own_reset, own_update, own_new = F.linear(state_Bd, carry, carry_bias).chunk(3, dim=-1)
        candidate_Bd = (new + (reset + own_reset).sigmoid() * own_new).tanh()
        state_Bd = candidate_Bd + (update + own_update).sigmoid() * (state_Bd - candidate_Bd)
        return state_Bd, state_Bd.clone()

    gates_LBG = F.linear(x_BLd, read, read_bias).transpose(0, 1)
    first_Bd = x_BLd.new_zeros(x_BLd.shape[0], layer.hidden_size)
    return scan(step, first_Bd, gates_LBG)[1].transpose(0, 1)

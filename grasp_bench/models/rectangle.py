"""Layout of padded sequences for `torch.export`, independent of their number and lengths.

`torch.export` traces tensors whose sizes are symbols. It cannot trace a `Layout`, whose number of tokens
depends on lengths; a `Rectangle` treats padding as tokens and masks it where it would change results.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# A loop over an unknown number of steps; a prototype in torch.
from torch._higher_order_ops.scan import scan

from grasp_bench.models.layout import HIDDEN, Layout, Packing, Tier


class Rectangle(Layout):
    """B sequences at the left of rows of one width L with padding after them: T = B · L tokens.

    A model gives tokens the same states as in a `Layout`; states of padding are arbitrary. For inference
    only: a recurrent layer has no dropout between its own layers.

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
        self.is_rectangle = False  # some of it is padding

    def pad(self, x_TD: Tensor) -> Tensor:
        """Reshape (T, …) to (B, L, …)."""
        return x_TD.unflatten(0, (self.batch, self.longest))

    def unpad(self, x_BLD: Tensor) -> Tensor:
        """Reshape (B, L, …) to (T, …)."""
        return x_BLD.flatten(0, 1)

    def from_end_T(self) -> Tensor:
        """Return positions as `Layout` does; padding gets 0."""
        return super().from_end_T().clamp_min(0)

    def packing(self) -> Packing:
        """Return the rows themselves, one sequence in each."""
        return _AsItLies(self)

    def recur(self, layer: nn.GRU, x_TD: Tensor) -> Tensor:
        """Return states (T, d) by a scan: `torch.export` would unroll the layer to the traced length."""
        x_BLd = self.pad(x_TD)
        for number in range(layer.num_layers):
            x_BLd = _recurrent(layer, number, x_BLd)
        return self.unpad(x_BLd)

    def one_more(self, x_TD: Tensor, longest: int) -> tuple[Tensor, Tensor, Layout]:
        """Append a token as `Layout` does; rows become one wider."""
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
        """Return the input: every token is a slot."""
        return x_TD

    def unpad(self, x_PD: Tensor) -> Tensor:
        """Return the input: every slot is a token."""
        return x_PD

    def rows(self, x_PD: Tensor) -> list[Tensor]:
        """Return one tier, (B, L, D)."""
        return [self.rectangle.pad(x_PD)]

    def mask(self, tier: int, causal: bool) -> Tensor:
        """Return a mask (B, 1, L) of padding; a causal mask needs none, because padding comes last."""
        seen = self.rectangle.mask()[:, None, :]
        return torch.zeros_like(seen, dtype=torch.float32).masked_fill(~seen, HIDDEN)


def _recurrent(layer: nn.GRU, number: int, x_BLd: Tensor) -> Tensor:
    """Compute one layer of a GRU over (B, L, d), step by step as torch defines it."""
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

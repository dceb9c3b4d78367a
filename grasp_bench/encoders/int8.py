"""Eight-bit arithmetic for a model's linear layers, scaled token by token.

Weights are rounded per output channel and inputs per token, both symmetric to ±127, and multiplied as
integers. Scales per token, rather than per batch as torch's dynamic quantisation takes them, are what
makes a text's vector independent of the texts it is encoded with.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LARGEST = 127


class Int8Linear(nn.Module):
    """A linear layer with weights (out, in) in int8; input and output stay floats."""

    weight_IO: Tensor
    scale_O: Tensor
    bias_O: Tensor | None

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight_OI, scale_O1 = _rounded(layer.weight.detach().float())
        self.register_buffer("weight_IO", weight_OI.t().contiguous())
        self.register_buffer("scale_O", scale_O1[:, 0])
        self.register_buffer("bias_O", None if layer.bias is None else layer.bias.detach().float())

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) to (…, out), in the dtype of x."""
        x_TI, scale_T1 = _rounded(x.reshape(-1, x.shape[-1]).float())
        y_TO = torch._int_mm(x_TI, self.weight_IO).float() * (scale_T1 * self.scale_O)
        if self.bias_O is not None:
            y_TO += self.bias_O
        return y_TO.reshape(*x.shape[:-1], -1).to(x.dtype)


def quantise_linear_layers(model: nn.Module) -> int:
    """Replace every linear layer inside `model` by its int8 twin; returns how many there were."""
    replaced = 0
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear:
                setattr(module, name, Int8Linear(child))
                replaced += 1
    return replaced


def _rounded(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows as int8 and the scale (rows, 1) that gives them back."""
    scale_R1 = rows.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / LARGEST
    return torch.round(rows / scale_R1).to(torch.int8), scale_R1

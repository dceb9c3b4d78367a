"""Base class of backbones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from grasp_bench.models.layout import Layout


class Backbone(nn.Module):
    """Turns item vectors into states, one per position.

    Contract (`grasp_bench.testing.check_backbone`):
    a sequence's states do not depend on the other sequences of the batch; `causal` backbones never
    look ahead; the width of the states is that of the item vectors.

    Attributes:
        causal: position t sees positions up to t only.
        masked_training: trained by filling in masked items (BERT4Rec) rather than by predicting the
            next one at each position.
        reads_order: the order of earlier items changes a state.
        mask_probability: share of positions that `masked_training` masks.
    """

    causal: bool = True
    masked_training: bool = False
    reads_order: bool = True
    mask_probability: float = 0.0

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Backbone:
        """Build from `spec.model.Model.effective()`."""
        raise NotImplementedError(f"{cls.__name__} does not implement from_settings")

    def forward(self, x_TD: Tensor, layout: Layout) -> Tensor:
        """Turn item vectors (T, d) of the sequences in `layout` into states (T, d)."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def hide(self, x_TD: Tensor, masked_T: Tensor) -> Tensor:
        """Replace the vectors of masked tokens (bool, (T,)); for `masked_training` only."""
        raise NotImplementedError(f"{type(self).__name__} is not trained by masking")

    def prepare_history(self, x_TD: Tensor, layout: Layout) -> tuple[Tensor, Layout]:
        """Return the input at inference whose last state predicts the next item; by default the history."""
        return x_TD, layout


def initialise(module: nn.Module) -> None:
    """Initialise weights Xavier-normal and biases to zero, as the paper's reference code does.

    Recurrent layers keep their own initialisation for biases and get Xavier-normal matrices.
    """
    for name, parameter in module.named_parameters():
        if parameter.dim() >= 2:
            nn.init.xavier_normal_(parameter)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)

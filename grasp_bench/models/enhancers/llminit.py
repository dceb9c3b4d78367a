"""LLMInit: initialise the ID table from the items' semantic embeddings.

Harte et al., RecSys 2023; Hu et al., 2024.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from grasp_bench.core.arrays import principal_directions
from grasp_bench.core.errors import TrainingError
from grasp_bench.models.enhancers.base import ItemTable, Knowledge, covering


class LLMInit(ItemTable):
    """E₀ = (I − 1 īᵀ) P, then trained like any ID table.

    I (m, D) are the items' embeddings, ī their mean, P (D, d) the d first principal directions.
    The sources do not give the scale of the vectors: the table keeps that of PCA, or gets the standard
    deviation `init_std`.
    """

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> LLMInit:
        """Build from `spec.model.Model.effective()`; TrainingError if PCA cannot give that width."""
        items_mD = covering(knowledge, "llminit", items_mD=num_items)["items_mD"]
        enhancer = cls(num_items, settings["embedding_dim"])
        reduced_md = principal_components(items_mD, settings["embedding_dim"])
        if settings["init_std"] is not None:
            reduced_md = reduced_md * (settings["init_std"] / reduced_md.std())
        with torch.no_grad():
            enhancer.table.weight.copy_(reduced_md)
        return enhancer


def principal_components(items_mD: Tensor, width: int) -> Tensor:
    """Project centred embeddings (m, D) on their first `width` principal directions, (m, width)."""
    most = min(items_mD.shape)
    if width > most:
        raise TrainingError(
            f"model.embedding_dim {width}: PCA of {items_mD.shape[0]} items of width {items_mD.shape[1]} "
            f"gives at most {most} dimensions",
            hint="lower model.embedding_dim, or use wider embeddings",
        )
    centred_mD = items_mD - items_mD.mean(0)
    return centred_mD @ torch.from_numpy(principal_directions(centred_mD.numpy(), width))

"""No enhancer: learned ID embeddings, as the backbones were published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grasp_bench.models.enhancers.base import Knowledge
from grasp_bench.models.enhancers.item_table import ItemTable


class NoEnhancer(ItemTable):
    """One trained vector per item, from random weights, and no loss besides the backbone's own."""

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> NoEnhancer:
        """Build from `spec.model.Model.effective()`."""
        return cls(num_items, settings["embedding_dim"])

"""`index:` — nearest neighbours by cosine (the paper's eq. 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from grasp_bench.components import SEARCHERS
from grasp_bench.spec.section import Section

AUTO = "auto"  # the searcher that is faster at the number of entities
if TYPE_CHECKING:
    IndexKind = str
else:
    IndexKind = Literal[AUTO, *SEARCHERS]


class Index(Section):
    """Nearest-neighbour search. `auto` is exact up to the measured size at which hnsw becomes faster."""

    kind: IndexKind = AUTO
    num_neighbours: int = Field(10, ge=1, le=1000, description="The paper's N, the entity itself excluded.")
    m: int = Field(32, ge=2, le=128)
    ef_construction: int = Field(200, ge=8)
    ef_search: int = Field(128, ge=8)
    seed: int = Field(42, ge=0, le=2**31 - 1)
    restrict_items_to: str | None = Field(
        None, description="Column of items; neighbours share its value (e.g. category)."
    )
    recall_sample: int = Field(1000, ge=0, description="Number of queries that measure recall@N; 0 for none.")

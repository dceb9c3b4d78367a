"""`results/<spec>/attention.json`: how trained cells weigh own, similar and global embeddings."""

from __future__ import annotations

from typing_extensions import TypedDict


class Weights(TypedDict):
    """Weights of one part over one group of (user, item) pairs.

    `group`, of history pairs: all, head_users, tail_users, head_items, tail_items, training or validation (of
    which users' texts do not tell by default), clean or corrupted (at least half of the context); unchosen
    is of items that users have not chosen. `saturated` is the share
    within 0.01 of 0.5. `edges` (k+1) and `counts` (k) are a histogram over [0, 1]; `quantiles` maps "0.05",
    "0.25", "0.5", "0.75", "0.95" to weights.
    """

    part: str
    group: str
    count: int
    mean: float
    std: float
    saturated: float
    quantiles: dict[str, float]
    edges: list[float]
    counts: list[int]


class Corruption(TypedDict):
    """Whether the weight of a part tells corrupted context from clean.

    `side`: users, items or either. `auc` is the chance that a corrupted pair (at least half of its context)
    weighs less than a clean one (0.5: it cannot tell), `correlation` Spearman's of weight and share.
    """

    part: str
    side: str
    corrupted: int
    clean: int
    auc: float
    correlation: float
    mean_corrupted: float
    mean_clean: float


class HeatMap(TypedDict):
    """One user's history, oldest first: `weights[p][t]` is the weight of part p for item t."""

    user: str
    items: list[str]
    parts: list[str]
    weights: list[list[float]]


class AttentionCell(TypedDict):
    """One trained cell; `scale` maps a part to the factor on its logits."""

    slug: str
    label: str
    seed: int | None
    attention: str
    noise: str | None
    scale: dict[str, float]
    pairs: int
    weights: list[Weights]
    corruption: list[Corruption]
    heat_maps: list[HeatMap]


class Attention(TypedDict):
    """All inspected cells of a spec."""

    spec: str
    cells: list[AttentionCell]
    notes: list[str]

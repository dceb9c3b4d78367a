"""What each stage's code means, as a small integer: bump it when the same settings give other results."""

from __future__ import annotations

STAGE_VERSIONS: dict[str, int] = {
    "split": 1,
    "candidates": 1,
    "text": 1,
    "embeddings": 1,
    "reduction": 1,
    "noise": 1,
    "text_noise": 1,
    "neighbours": 1,
    "train": 2,
    "rank": 1,
    "control": 1,
    "imported": 1,
    "metrics": 2,
}

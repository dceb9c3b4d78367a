"""Every k-th entity of a large catalogue, as if there were no others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from grasp_bench.text.entities import Entities

SAMPLE = 200_000  # entities


def thinned(subjects: Entities) -> tuple[Entities, int]:
    """At most SAMPLE entities at even distances, and how many each of them stands for."""
    step = max(1, -(-len(subjects.ids) // SAMPLE))
    if step == 1:
        return subjects, 1
    ids = pl.Series(subjects.ids).gather_every(step)
    if subjects.side == "items":
        return replace(subjects, ids=ids, items=subjects.items.gather_every(step)), step
    users = None if subjects.users is None else subjects.users.gather_every(step)
    lengths = np.diff(subjects.history_offsets)[::step]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    starts = subjects.history_offsets[:-1:step]
    rows = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
    histories = {"history_items": subjects.history_items[rows], "history_offsets": offsets}
    return replace(subjects, ids=ids, users=users, **histories), step

"""Prepare texts for an encoder: distinct ones, truncated ones, and batches of about equal cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def distinct(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Return distinct texts, longest first (then alphabetical), and each text's place among them.

    The order depends on the set of texts alone, so that a restart makes the same pieces.
    """
    ordered = sorted(set(texts), key=lambda text: (-len(text), text))
    place = {text: number for number, text in enumerate(ordered)}
    return ordered, np.fromiter((place[text] for text in texts), dtype=np.int64, count=len(texts))


def batch_by_tokens(lengths: Sequence[int], budget: int) -> list[np.ndarray]:
    """Divide texts into batches of at most `budget` tokens, padding included, longest first.

    Returns the rows of each batch; a text longer than the budget is a batch by itself.
    """
    sizes = np.asarray(lengths)
    order = np.argsort(-sizes, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        longest = max(1, int(sizes[order[start]]))
        count = max(1, budget // longest)
        batches.append(order[start : start + count])
        start += count
    return batches


def truncate_to_tokens(text: str, limit: int, count: Callable[[str], int]) -> str:
    """Return the longest prefix, found by bisection, with at most `limit` tokens.

    A text has at most one token per byte, so most texts need no counting.
    """
    if len(text.encode("utf-8", errors="replace")) <= limit or count(text) <= limit:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if count(text[:middle]) <= limit:
            fits = middle
        else:
            too_long = middle
    return text[:fits]

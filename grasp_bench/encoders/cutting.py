"""Texts that fit a model: cut at the end, at a character, to so many tokens."""

from __future__ import annotations

from collections.abc import Callable


def cut_to_tokens(text: str, limit: int, count: Callable[[str], int]) -> str:
    """The longest beginning of the text that halving finds to have at most `limit` tokens.

    No tokenizer makes more tokens than bytes, so most texts are not counted at all.
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

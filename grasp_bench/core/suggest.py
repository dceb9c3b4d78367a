"""Suggest the nearest name: did you mean …?"""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable, Sequence

LONGEST_WORD = 200  # letters; names are shorter, and comparing takes quadratic time
MOST_OPTIONS = 1_000
MOST_LISTED = 30


def nearest(word: str, options: Iterable[str]) -> str | None:
    """Return the option most like `word`, or None when nothing is close.

    Ignores case, dash or underscore, and the order of letters, which difflib weighs too much in short words
    (`rl` for `lr`). Of more than MOST_OPTIONS options, such as the files of a large folder, the first in
    order are compared.
    """
    if len(word) > LONGEST_WORD:
        return None
    looked_at = heapq.nsmallest(MOST_OPTIONS, (each for each in options if len(each) <= LONGEST_WORD))
    by_form = {_form(option): option for option in reversed(looked_at)}
    form = _form(word)
    same_letters = [each for each in sorted(by_form) if sorted(each) == sorted(form)]
    found = same_letters or difflib.get_close_matches(form, sorted(by_form), n=1, cutoff=0.6)
    return by_form[found[0]] if found else None


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" or an empty string, ready to be appended to a message."""
    best = nearest(word, options)
    return f"; did you mean '{best}'?" if best else ""


def listed(options: Sequence[str]) -> str:
    """Join the options by commas; of many, the first few and the number of others."""
    more = len(options) - MOST_LISTED
    return ", ".join(options[:MOST_LISTED]) + (f" and {more:,} more" if more > 0 else "")


def _form(word: str) -> str:
    return word.casefold().replace("-", "_")

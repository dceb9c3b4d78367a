"""Words for people: texts split into words, the nearest name for a suggestion, durations."""

from __future__ import annotations

import difflib
import heapq
import re
import unicodedata
from collections.abc import Iterable, Sequence

# At least three letters: shorter words ("a", "is", "no") are rarely content. In scripts without spaces a
# "word" is a phrase, which matches only as a whole.
WORD = re.compile(r"[^\W\d_]{3,}")


def words_of(text: str) -> list[str]:
    """Return the words of a text in order, case folded and NFKC-normalised."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


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


def readable(seconds: float) -> str:
    """Format seconds as 0.4 s, 12 s, 3 min 20 s, or 2 h 05 min."""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def roughly(seconds: float) -> str:
    """Format an estimate of seconds coarsely: 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    minutes = 5 * round(minutes / 5)
    return f"{minutes // 60} h {minutes % 60:02d} min"

"""Did you mean …?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, options: Iterable[str]) -> str | None:
    """Return the option most like `word`, or None when nothing is close."""
    found = difflib.get_close_matches(word, sorted(options), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" or an empty string, ready to be appended to a message."""
    best = nearest(word, options)
    return f"; did you mean '{best}'?" if best else ""

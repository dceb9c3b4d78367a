"""Did you mean …?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, options: Iterable[str]) -> str | None:
    """Return the option most like `word`, or None when nothing is close.

    Case and the choice of dash or underscore do not count; neither does the order of letters, which
    difflib takes too seriously in short words (`rl` for `lr`).
    """
    by_form = {_form(option): option for option in sorted(options, reverse=True)}
    form = _form(word)
    same_letters = [each for each in sorted(by_form) if sorted(each) == sorted(form)]
    found = same_letters or difflib.get_close_matches(form, sorted(by_form), n=1, cutoff=0.6)
    return by_form[found[0]] if found else None


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" or an empty string, ready to be appended to a message."""
    best = nearest(word, options)
    return f"; did you mean '{best}'?" if best else ""


def _form(word: str) -> str:
    return word.casefold().replace("-", "_")

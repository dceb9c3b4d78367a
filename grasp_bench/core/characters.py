"""Characters that nobody sees or that command a terminal: refused in names (`core.shown` escapes them)."""

from __future__ import annotations

import unicodedata

# Control characters, invisible ones (zero width, changes of direction), halves of pairs, line separators.
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def unseen(text: str) -> str | None:
    """The first character of a text that is not to be seen, as `U+001B`; None when all are."""
    if text.isprintable():
        return None
    return next((_name(letter) for letter in text if unicodedata.category(letter) in UNSEEN), None)


def _name(letter: str) -> str:
    return f"U+{ord(letter):04X}"

"""Characters that nobody sees or that command a terminal: refused in names, escaped where quoted."""

from __future__ import annotations

import unicodedata

# Control characters, invisible ones (zero width, changes of direction), halves of pairs, line separators.
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def unseen(text: str) -> str | None:
    """The first character of a text that is not to be seen, as `U+001B`; None when all are."""
    if text.isprintable():
        return None
    return next((_name(letter) for letter in text if unicodedata.category(letter) in UNSEEN), None)


def visible(text: str) -> str:
    """The text with unseen characters written out, as in `\\x1b[31m`: safe to print, and on one line."""
    if text.isprintable():
        return text
    return "".join(_escaped(letter) if unicodedata.category(letter) in UNSEEN else letter for letter in text)


def _name(letter: str) -> str:
    return f"U+{ord(letter):04X}"


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")

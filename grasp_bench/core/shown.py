"""Find and escape characters that act on a terminal or that nobody sees."""

from __future__ import annotations

import re
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


_ACTING = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 less tab and line feed, DEL, C1 (\x9b is a CSI of one character)
    "\u200b\ufeff"  # of no width and no use: a word that holds one looks like another
    "\u2028\u2029"  # separators of lines and paragraphs
    "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides and isolates of writing directions
    "\ud800-\udfff"  # lone surrogates: no encoding has them, or they stand for raw bytes of a path
    "\ufffe\uffff"  # no characters; XML, and so a chart, cannot hold them
    "]"
)


def shown(text: str) -> str:
    r"""The text with control characters as escapes such as `\x1b`; tabs and line feeds stay."""
    return _ACTING.sub(_as_in_python, text)


def shown_line(text: str) -> str:
    """The text on one line: line feeds are escapes, too, so that no name passes for a line of its own."""
    return shown(text).replace("\n", "\\n")


def shown_json(text: str) -> str:
    """The same JSON with the same values: what would act stands as JSON's own escapes."""
    return _ACTING.sub(_as_in_json, text)


def _as_in_python(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode("ascii")


def _as_in_json(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"

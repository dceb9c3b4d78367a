r"""Text of unknown origin as a reader may see it: what would act on a terminal becomes a visible escape.

Ids, titles, names of a spec, answers of models and errors of services may hold anything. `\x1b]52;c;…` writes
a clipboard, `\r` overwrites a line, a bidi override turns it round. The escapes are those of Python's repr.
"""

from __future__ import annotations

import re

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

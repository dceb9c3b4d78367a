"""Escape characters that act on a terminal, and recognise API keys, so that output repeats neither.

Ids, titles, names of a spec, answers of models and errors of services may hold anything. `\x1b]52;c;…` writes
a clipboard, `\r` overwrites a line, a bidi override reverses it. The escapes are those of Python's repr.
"""

from __future__ import annotations

import re
import unicodedata

# Control characters, invisible ones (zero width, direction marks), lone surrogates, line separators.
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def unseen(text: str) -> str | None:
    """Return the first invisible character of a text, as `U+001B`; None when all are visible."""
    if text.isprintable():
        return None
    return next((_name(letter) for letter in text if unicodedata.category(letter) in UNSEEN), None)


def _name(letter: str) -> str:
    return f"U+{ord(letter):04X}"


_ACTING = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 less tab and line feed, DEL, C1 (\x9b is a CSI of one character)
    "\u200b\ufeff"  # zero width: a word that holds one looks like another
    "\u2028\u2029"  # line and paragraph separators
    "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides and isolates of writing directions
    "\ud800-\udfff"  # lone surrogates: not encodable, or raw bytes of a path
    "\ufffe\uffff"  # no characters; XML, and so SVG, cannot hold them
    "]"
)


def shown(text: str) -> str:
    r"""Escape control characters as in `\x1b`; keep tabs and line feeds."""
    return _ACTING.sub(_as_in_python, text)


def shown_line(text: str) -> str:
    """Escape control characters and line feeds, so that a name stays on one line."""
    return shown(text).replace("\n", "\\n")


def shown_json(text: str) -> str:
    """Escape control characters in JSON by JSON's own escapes; the values stay the same."""
    return _ACTING.sub(_as_in_json, text)


def _as_in_python(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode("ascii")


def _as_in_json(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"


# Keys have known prefixes (OpenAI, Anthropic, xAI, Perplexity, NVIDIA, Groq, Hugging Face, Replicate,
# Google, AWS, signed tokens), and a digit in their random part.
VALUE = re.compile(
    r"(?<![\w-])(?:(?:sk|xai|pplx|nvapi)-|(?:gsk|hf|r8)_|AIza|AKIA|eyJ)(?=[\w-]*\d)[\w-]{12,}", re.ASCII
)
NAME = re.compile(
    r"(?:api|access|auth|secret|private)[_-]?(?:key|token)|^(?:key|token|bearer)$"
    r"|secret|passw(?:or)?d|credential|authorization",
    re.IGNORECASE,
)


def looks_secret(text: str) -> bool:
    """Return True when a text holds something like a key."""
    return VALUE.search(text) is not None


def names_secret(name: str) -> bool:
    """Return True for names of keys: api_key, token, password."""
    return NAME.search(name) is not None


def masked(text: str) -> str:
    """Replace everything that looks like a key by ***."""
    return VALUE.sub("***", text)

"""Words as texts are compared by them: runs of letters, whatever their case or script."""

from __future__ import annotations

import re
import unicodedata

# Three letters at least: shorter ones ("a", "is", "vol") are grammar or numbering more often than content.
# Scripts without spaces give one "word" a phrase: it matches only where the whole phrase returns.
WORD = re.compile(r"[^\W\d_]{3,}")


def words_of(text: str) -> list[str]:
    """Words of a text in order, case folded and in Unicode's composed form."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())

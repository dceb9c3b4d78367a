"""Split texts into words for comparison: runs of letters, case folded, in any script."""

from __future__ import annotations

import re
import unicodedata

# At least three letters: shorter words ("a", "is", "no") are rarely content. In scripts without spaces a
# "word" is a phrase, which matches only as a whole.
WORD = re.compile(r"[^\W\d_]{3,}")


def words_of(text: str) -> list[str]:
    """Return the words of a text in order, case folded and NFKC-normalised."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())

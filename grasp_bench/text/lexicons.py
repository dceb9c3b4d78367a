"""Tokens of texts, and names of a catalogue to be found among them.

Texts and names are compared as sequences of tokens: runs of letters, and numbers, case folded. So a name is
found only whole, and punctuation does not matter ("L'Oréal" is `l oréal`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
# "1,000" is a thousand and "2.50" is 2.5; a decimal comma looks like a list and stays unchanged.
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
Tokens = tuple[str, ...]


def tokens_of(text: str) -> list[str]:
    """Return the tokens of a text in order, numbers in one spelling."""
    found = TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())
    return [_number(token) if token[0].isdigit() else token for token in found]


def is_number(token: str) -> bool:
    """Return True when a token of `tokens_of` is a number."""
    return token[0].isdigit()


def _number(token: str) -> str:
    if _THOUSANDS.fullmatch(token):
        token = token.replace(",", "")
    return token.rstrip("0").rstrip(".") if "." in token else token


@dataclass(frozen=True)
class Lexicon:
    """Names of one kind to search for, and the number left out as generic."""

    kind: str
    names: frozenset[Tokens]
    generic: int = 0
    _lengths: dict[str, list[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lengths: dict[str, set[int]] = {}
        for name in self.names:
            lengths.setdefault(name[0], set()).add(len(name))
        ordered = {first: sorted(found, reverse=True) for first, found in lengths.items()}
        object.__setattr__(self, "_lengths", ordered)

    def find(self, tokens: Sequence[str]) -> Iterator[Tokens]:
        """Yield the names in a text from left to right: the longest at each place, and none inside it."""
        place = 0
        while place < len(tokens):
            for length in self._lengths.get(tokens[place], ()):
                name = tuple(tokens[place : place + length])
                if name in self.names:
                    yield name
                    place += length - 1
                    break
            place += 1


def make_lexicon(
    kind: str, borne: Sequence[Collection[Tokens]], elsewhere: Iterable[Sequence[str]], shortest: int = 1
) -> Lexicon:
    """Return the names of the items without those that are ordinary words.

    `borne` has each item's names of this kind, `elsewhere` the tokens of its other attributes. A name is
    kept when some item's other attributes hold it, and at least half of those items bear it: "OPI" occurs in
    titles of OPI's products, "Pure" in titles of all brands. Names of
    fewer than `shortest` tokens, or of less than three characters, are left out as well.
    """
    names = {name for own in borne for name in own}
    wanted = {name for name in names if len(name) >= shortest and len("".join(name)) >= 3}
    everything = Lexicon(kind, frozenset(wanted))
    held: dict[Tokens, int] = {}
    by_bearers: dict[Tokens, int] = {}
    for own, tokens in zip(borne, elsewhere, strict=True):
        for name in set(everything.find(tokens)):
            held[name] = held.get(name, 0) + 1
            by_bearers[name] = by_bearers.get(name, 0) + (name in own)
    kept = frozenset(name for name, count in held.items() if 2 * by_bearers[name] >= count)
    return Lexicon(kind, kept, len(names) - len(kept))

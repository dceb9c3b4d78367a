"""Find claims in texts that the attributes do not support: brands, categories, titles and numbers.

A claim is a brand, category or title of the catalogue, or a number, that occurs verbatim in a text. It is
grounded when the same words occur in an attribute of the item, or of any item of the user's history. A text
that calls an OPI lacquer "Essie" or a 0.5-ounce bottle "1 oz" is contradicted.

Not found: claims in other words ("a luxury brand"), false claims about true names, truths that no attribute
holds (a year of publication counts as ungrounded). Not searched for: names that are ordinary words (see
`make_lexicon`), titles of one word, numbers that begin a list item or that most texts have.

Texts and names are compared as sequences of tokens: runs of letters, and numbers, case folded. So a name is
found only whole, and punctuation does not matter ("L'Oréal" is `l oréal`).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.text.attributes import ID_COLUMNS

TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
# "1,000" is a thousand and "2.50" is 2.5; a decimal comma looks like a list and stays unchanged.
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
BORDER = " | "  # between attributes, so that no name spans two

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


KINDS = {"brand": 1, "category": 1, "title": 2}  # columns of names, with the least number of tokens of a name
_PARTS = re.compile(r"\s*[>|]\s*")  # of a path of categories
_LIST_MARK = re.compile(r"^\s*\d{1,3}[.)]\s", re.MULTILINE)
EVERYWHERE = 0.5  # a number in more than this share of texts comes from the prompt


@dataclass(frozen=True)
class Claim:
    """An ungrounded claim: the entity of the text, the kind, the words."""

    entity: int
    kind: str
    words: str


@dataclass(frozen=True)
class KindCount:
    """Counts for one kind: claims, ungrounded claims, texts with a claim, texts with an ungrounded one.
    `left_out` counts names too generic to search for."""

    claims: int = 0
    ungrounded: int = 0
    texts: int = 0
    texts_ungrounded: int = 0
    left_out: int = 0


@dataclass(frozen=True, eq=False)
class Grounding:
    """Counts by kind, all ungrounded claims in order of the texts, and the number of claims of each text."""

    kinds: dict[str, KindCount]
    claims: tuple[Claim, ...] = field(repr=False)
    made: np.ndarray = field(repr=False)

    def entities(self) -> np.ndarray:
        """Return the entities with at least one ungrounded claim, ascending."""
        return np.unique(np.array([claim.entity for claim in self.claims], dtype=np.int64))

    def share_ungrounded(self, members: np.ndarray) -> float | None:
        """Return the ungrounded share of the claims of some entities, bool (n,); None without claims."""
        made = int(self.made[members].sum())
        wrong = sum(bool(members[claim.entity]) for claim in self.claims)
        return wrong / made if made else None


class GroundingCheck:
    """The claims of some texts, found once, to be compared with attributes of any items.

    `items` is the item table. A column that most texts were copied from does not count as an attribute.
    """

    def __init__(self, texts: Sequence[str], items: pl.DataFrame) -> None:
        columns = _columns(items, texts)
        # Words between borders and single spaces, so that ` words ` is found whole and within one attribute.
        self._attributes = [
            BORDER + BORDER.join(" ".join(part) for parts in columns.values() for part in parts[row]) + BORDER
            for row in range(items.height)
        ]
        lexicons = [_lexicon(kind, columns) for kind in KINDS if kind in columns]
        self._lexicons = [lexicon for lexicon in lexicons if lexicon.names]
        tokens = [tokens_of(_LIST_MARK.sub(" ", text)) for text in texts]
        usual = _usual_numbers(tokens)
        self._claims = [_claims(words, self._lexicons, usual) for words in tokens]

    def against(self, items_of: Callable[[int], Sequence[int]]) -> Grounding:
        """Look up the claims of each text k in the attributes of rows `items_of(k)` of the item table: the
        item itself, or a user's history. Raises DataError for absent rows."""
        counts = {kind: Counter[str]() for kind in [*(lex.kind for lex in self._lexicons), "number"]}
        ungrounded: list[Claim] = []
        for entity, made in enumerate(self._claims):
            grounds = self._grounds(items_of(entity)) if any(made.values()) else ""
            for kind, claims in made.items():
                wrong = [name for name in claims if f" {' '.join(name)} " not in grounds]
                counts[kind] += Counter(
                    claims=len(claims),
                    ungrounded=len(wrong),
                    texts=bool(claims),
                    texts_ungrounded=bool(wrong),
                )
                ungrounded += [Claim(entity, kind, " ".join(name)) for name in wrong]
        for lexicon in self._lexicons:
            counts[lexicon.kind]["left_out"] = lexicon.generic
        kinds = {kind: KindCount(**count) for kind, count in counts.items()}
        made_by = np.array([sum(map(len, made.values())) for made in self._claims], dtype=np.int64)
        return Grounding(kinds, tuple(ungrounded), made_by)

    def _grounds(self, rows: Sequence[int]) -> str:
        try:
            return "".join(self._attributes[row] for row in rows)
        except IndexError:
            raise DataError(f"a history names item {max(rows)} of {len(self._attributes)}") from None


def _columns(items: pl.DataFrame, texts: Sequence[str]) -> dict[str, list[list[list[str]]]]:
    """Return the tokens of each part of each cell, by column, without ids and copied columns."""
    columns = {
        column.name: column.cast(pl.String).fill_null("").to_list()
        for column in items
        if column.name not in ID_COLUMNS
    }
    if len(texts) == items.height:
        columns = {name: values for name, values in columns.items() if not _copied(values, texts)}
    return {
        name: [[tokens_of(part) for part in _PARTS.split(value)] for value in values]
        for name, values in columns.items()
    }


def _copied(values: Sequence[str], texts: Sequence[str]) -> bool:
    same = sum(value == text for value, text in zip(values, texts, strict=True) if text)
    return same > 0.5 * max(sum(map(bool, texts)), 1)


def _lexicon(kind: str, columns: dict[str, list[list[list[str]]]]) -> Lexicon:
    borne = [{tuple(part) for part in parts if part} for parts in columns[kind]]
    others = [values for name, values in columns.items() if name != kind]
    # A border between attributes: a name may not span two.
    elsewhere = (
        [token for values in others for part in values[row] for token in (*part, "|")]
        for row in range(len(borne))
    )
    return make_lexicon(kind, borne, elsewhere, KINDS[kind])


def _usual_numbers(tokens: Sequence[Sequence[str]]) -> frozenset[str]:
    """Return numbers that most texts repeat, since they come from the prompt."""
    times = Counter(token for words in tokens for token in set(words) if is_number(token))
    return frozenset(token for token, count in times.items() if count > max(EVERYWHERE * len(tokens), 1))


def _claims(
    words: Sequence[str], lexicons: Sequence[Lexicon], usual: frozenset[str]
) -> dict[str, list[Tokens]]:
    """Return the claims of one text by kind, each once; a number inside a name is not a claim."""
    made = {lexicon.kind: list(dict.fromkeys(lexicon.find(words))) for lexicon in lexicons}
    inside = {token for names in made.values() for name in names for token in name}
    numbers = dict.fromkeys(token for token in words if is_number(token))
    made["number"] = [(token,) for token in numbers if token not in usual and token not in inside]
    return made

"""Find claims in texts that the attributes contradict or do not carry.

A claim is a brand, category or title of the catalogue, a size, another number, a colour, an audience, a
place or a price level, in the words that `lexicons` and `claim_words` know. It is *carried* when an attribute
of the item, or of any item of the user's history, says the same. It is *contradicted* when the attributes say
something of this kind, and none of it is the claim: a text that calls an OPI lacquer "Essie", or a 0.5-ounce
bottle "1 oz". Categories, titles and numbers do not exclude others, so they are never contradicted.

Not found: claims in other words ("made from rare herbs"), false claims about true names, truths that no
attribute holds (a year of publication is not carried). Not searched for: names that are ordinary words (see
`make_lexicon`), titles of one word, numbers that begin a list item or that most texts have.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.text.attributes import ID_COLUMNS
from grasp_bench.text.claim_words import SIZE, Found, same_unit, sizes, vocabularies
from grasp_bench.text.lexicons import Lexicon, is_number, make_lexicon, tokens_of

BORDER = " | "  # between attributes, so that no name spans two
NAMES = {"brand": 1, "category": 1, "title": 2}  # columns of names, with the least number of tokens of a name
NUMBER = "number"
SAYINGS = (SIZE, *(vocabulary.kind for vocabulary in vocabularies()))  # found in any attribute, by value
EXCLUSIVE = frozenset({"brand", *SAYINGS})
_PARTS = re.compile(r"\s*[>|]\s*")  # of a path of categories
_LIST_MARK = re.compile(r"^\s*\d{1,3}[.)]\s", re.MULTILINE)
EVERYWHERE = 0.5  # a number in more than this share of texts comes from the prompt

State = Literal["carried", "not_carried", "contradicted"]
Claims = dict[str, list[Found]]


@dataclass(frozen=True)
class Claim:
    """A claim without ground: the entity of the text, the kind, the words, whether it is contradicted."""

    entity: int
    kind: str
    words: str
    contradicted: bool = False


@dataclass(frozen=True)
class KindCount:
    """Counts for one kind: claims, those without ground (`ungrounded`), of these the contradicted ones, and
    texts with such claims. `left_out` counts names too generic to search for."""

    claims: int = 0
    ungrounded: int = 0
    contradicted: int = 0
    texts: int = 0
    texts_ungrounded: int = 0
    texts_contradicted: int = 0
    left_out: int = 0


@dataclass(frozen=True, eq=False)
class Grounding:
    """Counts by kind, all ungrounded claims in order of the texts, and the number of claims of each text."""

    kinds: dict[str, KindCount]
    claims: tuple[Claim, ...] = field(repr=False)
    made: np.ndarray = field(repr=False)

    def states(self) -> list[State]:
        """Return the worst state of each text's claims; a text that claims nothing is carried."""
        found: list[State] = ["carried"] * len(self.made)
        for claim in self.claims:
            if found[claim.entity] != "contradicted":
                found[claim.entity] = "contradicted" if claim.contradicted else "not_carried"
        return found

    def share_ungrounded(self, members: np.ndarray) -> float | None:
        """Return the ungrounded share of the claims of some entities, bool (n,); None without claims."""
        made = int(self.made[members].sum())
        wrong = sum(bool(members[claim.entity]) for claim in self.claims)
        return wrong / made if made else None


@dataclass(frozen=True)
class _Ground:
    """What the attributes of some items say: all their words, the values of each kind, columns with names."""

    words: str
    values: Mapping[str, frozenset[str]]
    named: frozenset[str]

    def state(self, kind: str, claim: Found) -> State:
        said = self.values.get(kind, frozenset())
        if claim.value in said or f" {' '.join(claim.words)} " in self.words:
            return "carried"
        if kind == SIZE:
            said = frozenset(size for size in said if same_unit(size) == same_unit(claim.value))
        known = bool(said) or kind in self.named
        return "contradicted" if known and kind in EXCLUSIVE else "not_carried"


class GroundingCheck:
    """The claims of some texts, found once, to be compared with attributes of any items.

    `items` is the item table. A column that most texts were copied from does not count as an attribute.
    """

    def __init__(self, texts: Sequence[str], items: pl.DataFrame) -> None:
        columns = _columns(items, texts)
        rows = [[part for parts in columns.values() for part in parts[row]] for row in range(items.height)]
        # Words between borders and single spaces, so that ` words ` is found whole and within one attribute.
        self._words = [BORDER + BORDER.join(map(" ".join, parts)) + BORDER for parts in rows]
        self._values = [_sayings(parts) for parts in rows]
        self._named = [
            frozenset(kind for kind in NAMES if kind in columns and any(columns[kind][row]))
            for row in range(items.height)
        ]
        lexicons = [_lexicon(kind, columns) for kind in NAMES if kind in columns]
        self._lexicons = [lexicon for lexicon in lexicons if lexicon.names]
        tokens = [tokens_of(_LIST_MARK.sub(" ", text)) for text in texts]
        usual = _usual_numbers(tokens)
        self._claims = [_claims(words, self._lexicons, usual) for words in tokens]

    def against(self, items_of: Callable[[int], Sequence[int]]) -> Grounding:
        """Look up the claims of each text k in the attributes of rows `items_of(k)` of the item table: the
        item itself, or a user's history. Raises DataError for absent rows."""
        counts = {kind: Counter[str]() for kind in self.kinds}
        ungrounded: list[Claim] = []
        for entity, made in enumerate(self._claims):
            ground = self._ground(items_of(entity)) if any(made.values()) else None
            for kind, claims in made.items():
                states = [ground.state(kind, claim) for claim in claims] if ground is not None else []
                wrong = [
                    Claim(entity, kind, " ".join(claim.words), state == "contradicted")
                    for claim, state in zip(claims, states, strict=True)
                    if state != "carried"
                ]
                denied = sum(claim.contradicted for claim in wrong)
                counts[kind] += Counter(
                    claims=len(claims),
                    ungrounded=len(wrong),
                    contradicted=denied,
                    texts=bool(claims),
                    texts_ungrounded=bool(wrong),
                    texts_contradicted=bool(denied),
                )
                ungrounded += wrong
        for lexicon in self._lexicons:
            counts[lexicon.kind]["left_out"] = lexicon.generic
        kinds = {kind: KindCount(**count) for kind, count in counts.items()}
        made_by = np.array([sum(map(len, made.values())) for made in self._claims], dtype=np.int64)
        return Grounding(kinds, tuple(ungrounded), made_by)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of claims that are searched for."""
        return (*(lexicon.kind for lexicon in self._lexicons), *SAYINGS, NUMBER)

    def _ground(self, rows: Sequence[int]) -> _Ground:
        try:
            words = "".join(self._words[row] for row in rows)
            said = {kind: frozenset().union(*(self._values[row][kind] for row in rows)) for kind in SAYINGS}
            return _Ground(words, said, frozenset().union(*(self._named[row] for row in rows)))
        except IndexError:
            raise DataError(f"a history names item {max(rows)} of {len(self._words)}") from None


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
    return make_lexicon(kind, borne, elsewhere, NAMES[kind])


def _usual_numbers(tokens: Sequence[Sequence[str]]) -> frozenset[str]:
    """Return numbers that most texts repeat, since they come from the prompt."""
    times = Counter(token for words in tokens for token in set(words) if is_number(token))
    return frozenset(token for token, count in times.items() if count > max(EVERYWHERE * len(tokens), 1))


def _sayings(parts: Iterable[Sequence[str]]) -> dict[str, frozenset[str]]:
    """Return the values of all kinds that need no catalogue, as some attributes say them."""
    found: dict[str, set[str]] = {kind: set() for kind in SAYINGS}
    for tokens in parts:
        for kind, claims in _said(tokens).items():
            found[kind].update(claim.value for claim in claims)
    return {kind: frozenset(values) for kind, values in found.items()}


def _said(tokens: Sequence[str]) -> Claims:
    """Return the sizes and the claims in fixed words of some tokens, each value once."""
    made: Claims = {SIZE: list({claim.value: claim for claim in sizes(tokens)}.values())}
    for vocabulary in vocabularies():
        made[vocabulary.kind] = list({claim.value: claim for claim in vocabulary.find(tokens)}.values())
    return made


def _claims(words: Sequence[str], lexicons: Sequence[Lexicon], usual: frozenset[str]) -> Claims:
    """Return the claims of one text by kind, each once; numbers in names and sizes are no others."""
    made: Claims = {
        lexicon.kind: [Found(" ".join(name), name) for name in dict.fromkeys(lexicon.find(words))]
        for lexicon in lexicons
    }
    named = {token for claims in made.values() for claim in claims for token in claim.words}
    made |= _said(words)
    made[SIZE] = [claim for claim in made[SIZE] if not named.issuperset(claim.words)]
    inside = named | {token for claim in made[SIZE] for token in claim.words}
    numbers = dict.fromkeys(token for token in words if is_number(token))
    made[NUMBER] = [Found(token, (token,)) for token in numbers if token not in usual and token not in inside]
    return made

"""Claims in texts that the attributes do not bear out: brands, categories, titles and numbers.

A claim is a brand, category or title of the catalogue, or a number, that stands verbatim in a text. It is
grounded when the same words stand in an attribute of the entity: of the item, or of any item of the user's
history. A text that calls an OPI lacquer "Essie" or a 0.5-ounce bottle "1 oz" is contradicted by that.

What it cannot see: claims in other words ("a luxury brand"), false claims about true names, truths that no
attribute holds (a year of publication counts as ungrounded, right or wrong). Names that are ordinary words
are not searched for (see `make_lexicon`), nor are single-word titles, nor numbers that begin a line of a
list or that most texts have.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.text.lexicon import BORDER, Lexicon, Tokens, is_id, is_number, make_lexicon, tokens_of

KINDS = {"brand": 1, "category": 1, "title": 2}  # columns that name things, with the least tokens of a name
_PARTS = re.compile(r"\s*[>|]\s*")  # of a path of categories
_LIST_MARK = re.compile(r"^\s*\d{1,3}[.)]\s", re.MULTILINE)
EVERYWHERE = 0.5  # share of texts from which a number is part of the prompt


@dataclass(frozen=True)
class Claim:
    """A claim that is not grounded: whose text makes it, of which kind, in what words."""

    entity: int
    kind: str
    words: str


@dataclass(frozen=True)
class KindCount:
    """Claims of one kind: all, and those without ground; texts that make one, and those that make one
    without ground. `left_out` counts names that were too generic to be searched for."""

    claims: int
    ungrounded: int
    texts: int
    texts_ungrounded: int
    left_out: int = 0


@dataclass(frozen=True)
class Grounding:
    """Counts by kind, and every ungrounded claim in order of the texts."""

    kinds: dict[str, KindCount]
    claims: tuple[Claim, ...] = field(repr=False)

    def entities(self) -> np.ndarray:
        """Entities with at least one ungrounded claim, ascending."""
        return np.unique(np.array([claim.entity for claim in self.claims], dtype=np.int64))


@dataclass(frozen=True)
class _Catalogue:
    """Attributes as tokens between spaces, one string an item, and the names that are searched for."""

    attributes: list[str]
    lexicons: list[Lexicon]


def check_grounding(
    texts: Sequence[str], items: pl.DataFrame, items_of: Callable[[int], Sequence[int]]
) -> Grounding:
    """Look every claim up in the attributes of the entity's own items.

    `items` is the item table; `items_of(k)` gives the rows that text k is about: the item itself, or the
    history of a user. A column that most texts were copied from is no attribute. Raises DataError for
    rows that are not there.
    """
    catalogue = _catalogue(items, texts)
    tokens = [tokens_of(_LIST_MARK.sub(" ", text)) for text in texts]
    usual = _usual_numbers(tokens)
    counts: dict[str, Counter[str]] = {lexicon.kind: Counter() for lexicon in catalogue.lexicons}
    counts["number"] = Counter()
    ungrounded: list[Claim] = []
    for entity, words in enumerate(tokens):
        made = _claims(words, catalogue.lexicons, usual)
        if not any(made.values()):
            continue
        grounds = _grounds(catalogue.attributes, items_of(entity))
        for kind, claims in made.items():
            wrong = [name for name in claims if f" {' '.join(name)} " not in grounds]
            counts[kind] += Counter(
                claims=len(claims), ungrounded=len(wrong), texts=bool(claims), texts_ungrounded=bool(wrong)
            )
            ungrounded += [Claim(entity, kind, " ".join(name)) for name in wrong]
    left_out = {lexicon.kind: lexicon.generic for lexicon in catalogue.lexicons}
    kinds = {kind: _kind_count(count, left_out.get(kind, 0)) for kind, count in counts.items()}
    return Grounding(kinds, tuple(ungrounded))


def _kind_count(count: Counter[str], left_out: int) -> KindCount:
    return KindCount(
        count["claims"], count["ungrounded"], count["texts"], count["texts_ungrounded"], left_out
    )


def _catalogue(items: pl.DataFrame, texts: Sequence[str]) -> _Catalogue:
    columns = {
        name: items[name].cast(pl.String).fill_null("").to_list() for name in items.columns if not is_id(name)
    }
    if len(texts) == items.height:
        columns = {name: values for name, values in columns.items() if not _copied(values, texts)}
    tokens = {
        name: [[tokens_of(part) for part in _PARTS.split(value)] for value in values]
        for name, values in columns.items()
    }
    attributes = [
        BORDER + BORDER.join(" ".join(part) for name in tokens for part in tokens[name][row]) + BORDER
        for row in range(items.height)
    ]
    lexicons = [_lexicon(kind, tokens) for kind in KINDS if kind in tokens]
    return _Catalogue(attributes, [lexicon for lexicon in lexicons if lexicon.names])


def _copied(values: Sequence[str], texts: Sequence[str]) -> bool:
    same = sum(value == text for value, text in zip(values, texts, strict=True) if text)
    return same > 0.5 * max(sum(map(bool, texts)), 1)


def _lexicon(kind: str, tokens: dict[str, list[list[list[str]]]]) -> Lexicon:
    borne = [{tuple(part) for part in parts if part} for parts in tokens[kind]]
    others = [values for name, values in tokens.items() if name != kind]
    # A border token between attributes: a name may not reach from one into the next.
    elsewhere = (
        [token for values in others for part in values[row] for token in (*part, "|")]
        for row in range(len(borne))
    )
    return make_lexicon(kind, borne, elsewhere, KINDS[kind])


def _usual_numbers(tokens: Sequence[Sequence[str]]) -> frozenset[str]:
    """Numbers of the prompt itself, which most texts repeat."""
    times = Counter(token for words in tokens for token in set(words) if is_number(token))
    return frozenset(token for token, count in times.items() if count > max(EVERYWHERE * len(tokens), 1))


def _claims(
    words: Sequence[str], lexicons: Sequence[Lexicon], usual: frozenset[str]
) -> dict[str, list[Tokens]]:
    """What one text claims, by kind, each claim once; numbers inside a name are the name's."""
    made = {lexicon.kind: list(dict.fromkeys(lexicon.find(words))) for lexicon in lexicons}
    inside = {token for names in made.values() for name in names for token in name}
    numbers = dict.fromkeys(token for token in words if is_number(token))
    made["number"] = [(token,) for token in numbers if token not in usual and token not in inside]
    return made


def _grounds(attributes: Sequence[str], rows: Sequence[int]) -> str:
    try:
        return "".join(attributes[row] for row in rows)
    except IndexError:
        raise DataError(f"a history names item {max(rows)} of {len(attributes)}") from None

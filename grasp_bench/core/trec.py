"""Write TREC's formats of qrels and runs, as trec_eval, ir_measures and ranx read them.

    qrels   user_id 0 item_id 1
    run     user_id Q0 item_id rank score tag

Fields are separated by blanks, so an id may hold none. Blanks, control characters and the percent sign of an
id are percent-encoded (UTF-8, as in a URL); all other characters stay. Nearly all ids are unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, unquote

from grasp_bench.core.errors import DataError


def quoted(identifier: str) -> str:
    """Encode an id as one field; DataError for an empty id."""
    if not identifier:
        raise DataError(
            "an empty id cannot stand in a TREC file", hint="name every user and item in the data"
        )
    if identifier.isprintable() and " " not in identifier and "%" not in identifier:
        return identifier
    return "".join(_encoded(character) for character in identifier)


def unquoted(field: str) -> str:
    """Decode a field made by `quoted`."""
    return unquote(field, errors="strict") if "%" in field else field


def qrels_line(user: str, item: str) -> str:
    """Return the line of one relevant item; ids are fields."""
    return f"{user} 0 {item} 1\n"


def run_lines(user: str, items: Iterable[str], scores: Iterable[str], tag: str) -> str:
    """Return the lines of a user's list, best first, ranks from 1; ids and scores are fields."""
    listed = enumerate(zip(items, scores, strict=True), start=1)
    return "".join(f"{user} Q0 {item} {rank} {score} {tag}\n" for rank, (item, score) in listed)


def _encoded(character: str) -> str:
    plain = character.isprintable() and character not in " %"
    return character if plain else quote(character, safe="")

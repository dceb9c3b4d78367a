"""Redact keys and sent texts in provider messages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "[…]"
SHORTEST_SECRET = 6  # shorter values ("none", "test") are no secrets and occur inside words
KEY_PIECE = 8  # providers echo keys in part: `sk-abcdefgh***`
TEXT_PIECE = 12
LONGEST_MESSAGE = 300
SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)


def secrets_of(environment: Mapping[str, str | None]) -> set[str]:
    """Return the values whose names look like those of keys."""
    return {
        value
        for name, value in environment.items()
        if value and len(value) >= SHORTEST_SECRET and SECRET_NAME.search(name)
    }


class Redactor:
    """Redacts texts of the request, the given secrets, and every key in the environment."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = {each for each in secrets if len(each) >= SHORTEST_SECRET} | secrets_of(os.environ)

    def message(self, error: object, sent: Mapping[str, Any]) -> str:
        """Return an error as one short line, without pieces of keys or of the request's texts."""
        text = " ".join(str(error).split())
        text = _without(text, self._secrets, KEY_PIECE)
        text = _without(text, {" ".join(each.split()) for each in _texts(sent)}, TEXT_PIECE)
        return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"


def _without(text: str, hidden: Iterable[str], piece: int) -> str:
    """Hide every run of `piece` characters or more that occurs in a value (or all of a shorter value)."""
    found = [False] * len(text)
    for value in hidden:
        width = min(piece, len(value))
        for start in range(len(text) - width + 1) if width else ():
            if text[start : start + width] in value:
                found[start : start + width] = [True] * width
    pieces: list[str] = []
    for index, (letter, hide) in enumerate(zip(text, found, strict=True)):
        if not hide:
            pieces.append(letter)
        elif index == 0 or not found[index - 1]:
            pieces.append(HIDDEN)
    return "".join(pieces)


def _texts(sent: Any) -> Iterable[str]:
    """Yield every string in the arguments of a request."""
    if isinstance(sent, str):
        yield sent
    elif isinstance(sent, Mapping):
        for each in sent.values():
            yield from _texts(each)
    elif isinstance(sent, list | tuple):
        for each in sent:
            yield from _texts(each)

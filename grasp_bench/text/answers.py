"""Classify a language model's answer as text or as one of five failures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from grasp_bench.text.phrases import ASKS_FOR_MORE, KNOWS_TOO_LITTLE, NA_AND_WHY, NOT_KNOWN, REFUSALS

Verdict = Literal["text", "na", "empty", "refusal", "over_long", "incomplete"]

OPENING = 300  # characters that say whether an answer is one
MARKS = " \t\r\n\"'“”‘’`*_#>[](){}<.,;:!-–—。，；：！「」『』【】（）"


@dataclass(frozen=True)
class Judged:
    """The verdict, and what the model said without its thoughts, white space at the ends cut."""

    verdict: Verdict
    text: str


def judge(content: str, finish: str) -> Judged:
    """Judge an answer by its words and by the ledger's finish reason (`services.answers.read_chat`).

    A reasoning model's thoughts are taken off first. The reason decides before words do: an answer
    that was cut off is over-long even if nothing is left of it.
    """
    text = without_thoughts(content)
    return Judged(_verdict(text, finish), text)


def _verdict(text: str, finish: str) -> Verdict:
    if finish in ("refusal", "content_filter"):
        return "refusal"
    if finish == "length":
        return "over_long"
    if finish == "incomplete":
        return "incomplete"
    # Only how an answer begins counts: further on, "sorry" and "unknown" are words like others.
    plain = text.replace("’", "'").strip(MARKS)
    opening = _LABEL.sub("", plain[:OPENING]).lstrip(MARKS)
    if not any(character.isalnum() for character in opening):
        return "empty"
    if opening.casefold() in NOT_KNOWN or NA_AND_WHY.match(opening):
        return "na"
    if REFUSALS.match(opening):
        return "refusal"
    return "na" if KNOWS_TOO_LITTLE.match(opening) or ASKS_FOR_MORE.search(opening) else "text"


_LABEL = re.compile(
    r"(?:(?:final|my|the|product|item|user) )?"
    r"(?:answer|output|response|result|introduction|description|summary|profile)"
    r"[\"'*_]*(?::| is:?)[\s\"'*_]+",
    re.IGNORECASE,
)
_MIND = "(?:think|thinking|thought|thoughts|reasoning|reflection)"
_THOUGHTS = (
    re.compile(rf"<({_MIND})>.*?</\1>", re.DOTALL | re.IGNORECASE),
    # Chat templates that open the thoughts themselves leave only the closing mark in the answer.
    re.compile(rf"\A.*</{_MIND}>", re.DOTALL | re.IGNORECASE),
    re.compile(rf"<{_MIND}>.*\Z", re.DOTALL | re.IGNORECASE),
)


def without_thoughts(content: str) -> str:
    """The answer after a reasoning model's `<think>…</think>`; nothing if its thoughts never end."""
    if "<" in content:  # most answers hold no marks at all
        for pattern in _THOUGHTS:
            content = pattern.sub("", content)
    return content.strip()

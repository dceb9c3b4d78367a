"""Echoes told from texts that say something: by hand, and on the real texts of goodreads (GPT-3.5)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from grasp_bench.text.echo import EchoCheck

PROMPT = "The beauty item has the following attributes: name is Rose soap; brand is Lorem Works; price is 3."
ECHOES = [
    "The item has the following attributes: name is Rose soap; brand is Lorem Works.",
    "Rose soap, brand Lorem Works.",
    "Name: Rose soap. Brand: Lorem Works. Price: 3.",
]
TEXTS = [
    "A mild soap that smells of roses, for people with dry skin who like flowery gifts.",
    "Rose soap by Lorem Works cleans gently and leaves a light scent, a cheap treat for the bathroom.",
]


@pytest.mark.parametrize("text", ECHOES)
def test_what_the_prompt_says_already_is_an_echo(text: str) -> None:
    assert EchoCheck(frozenset()).kind(text, PROMPT) == "repeats_prompt"


@pytest.mark.parametrize("text", TEXTS)
def test_what_adds_to_the_prompt_is_none(text: str) -> None:
    assert EchoCheck(frozenset()).kind(text, PROMPT) is None


def test_what_is_said_of_many_fits_any() -> None:
    praise = "This wonderful product is perfect for everyone who loves quality and comfort."
    texts = [f"{praise} It is a {word}." for word in (f"thing{chr(97 + k)}{chr(98 + k)}" for k in range(24))]
    check = EchoCheck.among(texts)
    assert check.kind(praise, PROMPT) == "fits_any"
    assert check.kind(TEXTS[0], PROMPT) is None
    assert EchoCheck.among(texts[:19]).many == frozenset()  # too few to know


def test_blank_and_wordless_answers_are_left_to_the_other_verdicts() -> None:
    assert EchoCheck(frozenset()).kind("  1 2 3 ", PROMPT) is None


def test_profiles_by_gpt_are_no_echoes_but_for_bare_genres(data_root: Path) -> None:
    lines = (data_root / "goodreads/user_profiles.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    check = EchoCheck.among(texts[:: len(texts) // 2000])
    found = [text for text in texts if check.kind(text, "") == "fits_any"]
    assert 0 < len(found) < 0.002 * len(texts)
    longest = np.median([len(text) for text in found])
    assert longest < np.median([len(text) for text in texts])

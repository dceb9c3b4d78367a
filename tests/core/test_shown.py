"""What acts on a terminal is shown, everything else stays as it is."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.core.shown import shown, shown_json, shown_line

BIDI = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # Unicode's classes of such marks


def acts(character: str) -> bool:
    """By Unicode's own tables: controls, separators of lines, bidi embeddings, surrogates."""
    return character not in "\t\n" and (
        unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs")
        or unicodedata.bidirectional(character) in BIDI
        or character in "\u200b\ufeff\ufffe\uffff"
    )


def test_exactly_what_acts_is_escaped() -> None:
    changed = {chr(code) for code in range(0x110000) if shown(chr(code)) != chr(code)}
    assert changed == {chr(code) for code in range(0x110000) if acts(chr(code))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b]52;c;Zm9v\x07", r"\x1b]52;c;Zm9v\x07"),
        ("a\rb\x9b31m", r"a\rb\x9b31m"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\udc9b", r"\udc9b"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("日本 🎸 עברית é", "日本 🎸 עברית é"),
    ],
)
def test_escapes_are_pythons(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_a_line_stays_one_line() -> None:
    assert shown_line("id\n12:00:00 done\r\n") == r"id\n12:00:00 done\r\n"


@given(st.text(st.characters(codec=None)))
def test_json_keeps_its_values(text: str) -> None:
    written = shown_json(json.dumps([text], ensure_ascii=False))
    assert json.loads(written) == [text]
    assert not any(map(acts, written))

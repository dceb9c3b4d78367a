"""Resolve plain scalars by the YAML 1.2 core schema (https://yaml.org/spec/1.2.2/#1032-tag-resolution).

PyYAML follows YAML 1.1, where `no` is false, `1e-3` is text, `010` is 8 and `2024-01-01` is a date, which
surprises authors of specs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from grasp_bench.core.words import did_you_mean

INTEGER = re.compile(r"[-+]?[0-9]+")
OCTAL = re.compile(r"0o[0-7]+")
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
LARGEST = 2**63
MOST_DIGITS = 100  # int() is quadratic in the digits; longer numbers are too large anyway

Scalar = str | int | float | bool | None


def resolve(text: str) -> Scalar:
    """Turn a plain scalar into its value; ValueError for numbers that are not finite or too large."""
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        return _integer(text, 10)
    if OCTAL.fullmatch(text):
        return _integer(text[2:], 8)
    if HEXADECIMAL.fullmatch(text):
        return _integer(text[2:], 16)
    if FLOAT.fullmatch(text):
        value = float(text)
        if math.isinf(value):
            raise ValueError(f"{_short(text)} is too large for a number")
        return value
    if NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a finite number")
    return text


def _integer(digits: str, base: int) -> int:
    if len(digits) <= MOST_DIGITS:
        value = int(digits, base)
        if -LARGEST <= value < LARGEST:
            return value
    raise ValueError(f"{_short(digits)} does not fit into 64 bits")


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:20]}… ({len(text)} characters)"


REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
ALLOWED = re.compile(r"GRASP_BENCH_[A-Z0-9_]+")
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL")


def interpolate(text: str, environment: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Replace `${NAME}`; return the text and the names used. ValueError for a forbidden or unset variable."""
    names: list[str] = []

    def value(match: re.Match[str]) -> str:
        if match.group(0) == "$${":
            return "${"
        name = match.group(1)
        if not match.group(2):
            raise ValueError("'${' without '}'; write '$${' for a literal '${'")
        _check(name, environment)
        names.append(name)
        return environment[name]

    return REFERENCE.sub(value, text), tuple(names)


def _check(name: str, environment: Mapping[str, str]) -> None:
    if not ALLOWED.fullmatch(name) or SECRET.search(name):
        raise ValueError(f"${{{name}}} is not allowed: use GRASP_BENCH_… variables that are no secrets")
    if name not in environment:
        ours = [each for each in environment if ALLOWED.fullmatch(each) and not SECRET.search(each)]
        raise ValueError(f"environment variable {name} is not set{did_you_mean(name, ours)}")

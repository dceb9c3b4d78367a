"""`${GRASP_BENCH_DATA}` in values: the harness's own environment variables, and no others.

A spec is shared and its resolved values are printed and stored; a free choice of variables would
carry secrets into results. `$${` writes a literal `${`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from grasp_bench.core.suggest import did_you_mean

REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
ALLOWED = re.compile(r"GRASP_BENCH_[A-Z0-9_]+")
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL")


def interpolate(text: str, environment: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Replace `${NAME}`; return the text and the names used. ValueError says what is wrong."""
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
        raise ValueError(f"${{{name}}} may not be used: only GRASP_BENCH_… variables that are no secrets")
    if name not in environment:
        ours = [each for each in environment if ALLOWED.fullmatch(each) and not SECRET.search(each)]
        raise ValueError(f"environment variable {name} is not set{did_you_mean(name, ours)}")

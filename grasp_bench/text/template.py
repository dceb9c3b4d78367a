"""Texts from filled prompt templates: the paper's own choice on its public datasets (A.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grasp_bench.spec.text import TemplateText
from grasp_bench.text.subjects import Account, Subjects, Written
from grasp_bench.text.telling import Telling


class TemplateProvider:
    """Fills one template per entity; what it may say, and what it raises, is in `Telling`."""

    def __init__(self, source: TemplateText) -> None:
        self._source = source

    def write(self, subjects: Subjects, account: Account) -> Written:
        """One text per subject, in their order."""
        facts: dict[str, Any] = {}
        return Written(_texts(Telling(self._source, subjects), facts), facts)


def _texts(telling: Telling, facts: dict[str, Any]) -> Iterator[str]:
    yield from telling
    facts |= telling.facts()

"""Texts written by a language model: accepted in a spec, so that it can be planned, but not made here."""

from __future__ import annotations

from typing import NoReturn

from grasp_bench.core.errors import GraspBenchError
from grasp_bench.spec.text import LiteLLMText
from grasp_bench.text.subjects import Subjects


class LiteLLMProvider:
    """Refuses with the ways that are open instead."""

    def __init__(self, source: LiteLLMText) -> None:
        self._source = source

    def write(self, subjects: Subjects) -> NoReturn:
        """Raise GraspBenchError."""
        raise GraspBenchError(
            f"text.{subjects.side}: generation by '{self._source.model}' is not part of this version",
            mend="use provider: template, or provider: precomputed with texts generated elsewhere",
        )

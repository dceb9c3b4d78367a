"""Verdicts counted, and what becomes of them."""

from __future__ import annotations

from typing import Any, get_args

from grasp_bench.core.errors import DataError
from grasp_bench.spec.text import LiteLLMText
from grasp_bench.text.answers import Verdict
from grasp_bench.text.subjects import Subjects

NAMED = 3  # entities named of each verdict
MEANINGS: dict[Verdict, str] = {
    "na": "say that nothing is known",
    "empty": "are empty",
    "refusal": "are refusals",
    "over_long": "were cut off at max_tokens",
    "incomplete": "ended for a reason that is not known to be complete",
}
MENDS: dict[Verdict, str] = {
    "na": "tell the model more in the template",
    "empty": "ask another model, or change the template",
    "refusal": "ask another model, or change the template",
    "over_long": "raise max_tokens",
    "incomplete": "ask another model, or see why its provider ends answers so",
}


class Verdicts:
    """How many answers of each kind there were, and the first few entities of those that are no text."""

    def __init__(self, source: LiteLLMText, subjects: Subjects) -> None:
        self._source = source
        self._subjects = subjects
        self._counts: dict[Verdict, int] = dict.fromkeys(get_args(Verdict), 0)
        self._first: dict[Verdict, list[str]] = {verdict: [] for verdict in MEANINGS}

    def count(self, k: int, verdict: Verdict) -> None:
        """Note the verdict on entity k's answer."""
        self._counts[verdict] += 1
        if verdict != "text" and len(self._first[verdict]) < NAMED:
            self._first[verdict].append(self._subjects.ids[k])

    def facts(self) -> dict[str, Any]:
        """Counts, what was done about them, and examples."""
        examples = {verdict: names for verdict, names in self._first.items() if names}
        return {"verdicts": dict(self._counts), "fallback": self._source.fallback, "examples": examples}

    def refuse_if_asked(self) -> None:
        """With `fallback: fail`, raise DataError naming entities when an answer is no text."""
        bad = {verdict: count for verdict, count in self._counts.items() if verdict != "text" and count}
        if self._source.fallback != "fail" or not bad:
            return
        side, total = self._subjects.side, sum(self._counts.values())
        listed = "; ".join(
            f"{count} {MEANINGS[verdict]} ({', '.join(map(repr, self._first[verdict]))}"
            f"{', …' if count > NAMED else ''})"
            for verdict, count in bad.items()
        )
        mends = dict.fromkeys(MENDS[verdict] for verdict in bad)
        raise DataError(
            f"text.{side}: of {total} answers of '{self._source.model}' {listed}",
            mend=f"{'; '.join(mends)}; or set fallback: template (or drop). The other answers are kept",
        )

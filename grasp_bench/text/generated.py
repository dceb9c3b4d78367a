"""Texts written by a language model: every prompt is asked, then the answers are read and judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from grasp_bench.core.errors import ServiceError
from grasp_bench.services.asking import KEY_BYTES, Ask
from grasp_bench.services.dispatch import Desk, Summary, dispatch
from grasp_bench.services.ledger import CHUNK, Answer, Ledger
from grasp_bench.spec.text import LiteLLMText
from grasp_bench.text.answers import judge
from grasp_bench.text.asks import asks_of
from grasp_bench.text.subjects import Account, Subjects, Written
from grasp_bench.text.telling import Telling, plain
from grasp_bench.text.verdicts import Verdicts


class LiteLLMProvider:
    """Fills a prompt per entity, has it answered through the ledger, and judges the answers.

    Answers that are no text are handled as `fallback` says: the side's default template, filled, in
    their place; no text at all; or a DataError once all are judged. What was answered is never asked
    again, so a run that stopped at a limit or a failure goes on where it was.
    """

    def __init__(self, source: LiteLLMText) -> None:
        self._source = source

    def write(self, subjects: Subjects, account: Account) -> Written:
        """One text per subject, in their order; ServiceError without a ledger."""
        if account.ledger is None:
            raise ServiceError(
                f"text.{subjects.side}: there is no ledger to keep the answers of '{self._source.model}' in",
                mend="run it by grasp-bench run, or give the run's context a ledger",
            )
        desk = Desk(account.ledger, account.payer, self._source, account.report)
        facts: dict[str, Any] = {}
        return Written(self._texts(Telling(self._source, subjects), subjects, desk, facts), facts)

    def _texts(
        self, telling: Telling, subjects: Subjects, desk: Desk, facts: dict[str, Any]
    ) -> Iterator[str]:
        # All that is kept of an entity while others are asked after.
        keys = np.zeros((len(telling), KEY_BYTES), dtype=np.uint8)
        summary = dispatch("chat", _noting(asks_of(telling, self._source, subjects), keys), desk)
        facts |= telling.facts()
        facts |= {"prompts": len(np.unique(keys, axis=0)), "spend": spend(summary)}
        verdicts = Verdicts(self._source, subjects)
        instead = plain(self._source, subjects) if self._source.fallback == "template" else None
        for k, answer in enumerate(_answers(desk, keys)):
            judged = judge(answer.content.decode("utf-8", errors="replace"), answer.finish)
            verdicts.count(k, judged.verdict)
            if judged.verdict == "text":
                yield judged.text
            else:
                yield "" if instead is None else instead[k]
        facts |= verdicts.facts()
        verdicts.refuse_if_asked()


def spend(summary: Summary) -> dict[str, Any]:
    """What a sidecar keeps of the money: this run's requests, and all that its node ever spent."""
    spent = summary.spent
    return {
        "sent": summary.sent, "reused": summary.reused, "retried": summary.retried,
        "input_tokens": spent.input_tokens, "output_tokens": spent.output_tokens,
        "cost_usd": spent.cost_usd, "lost_requests": spent.lost_requests,
    }  # fmt: skip


def _noting(asks: Iterator[Ask], keys: np.ndarray) -> Iterator[Ask]:
    for k, ask in enumerate(asks):
        keys[k] = np.frombuffer(ask.keys[0], dtype=np.uint8)
        yield ask


def _answers(desk: Desk, keys: np.ndarray) -> Iterator[Answer]:
    with Ledger(desk.ledger) as ledger:
        for start in range(0, len(keys), CHUNK):
            wanted = [key.tobytes() for key in keys[start : start + CHUNK]]
            for answer in ledger.find(wanted):
                if answer is None:
                    raise ServiceError(f"{desk.ledger}: an answer is gone from it", mend="run again")
                yield answer

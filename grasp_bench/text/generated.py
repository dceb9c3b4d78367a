"""Texts written by a language model: every prompt is asked, then the answers are read and judged.

Verdicts counted, and what becomes of them.

Requests to a language model, one an entity: what would be sent, before anything is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import numpy as np

from grasp_bench.core.errors import DataError, ServiceError
from grasp_bench.services.dispatch import ServiceContext, Summary, dispatch
from grasp_bench.services.ledger import CHUNK, Answer, Ledger
from grasp_bench.services.requests import KEY_BYTES, ServiceRequest, request_key
from grasp_bench.services.tokens import most_tokens
from grasp_bench.spec.text import LiteLLMText
from grasp_bench.text.answers import Verdict, classify_answer
from grasp_bench.text.entities import Account, Entities, TextStream
from grasp_bench.text.template_renderer import TemplateRenderer, default_renderer

# Keys of the source that are sent as they stand, where they are set.
PARAMETERS = ("max_tokens", "temperature", "top_p", "seed")


def prompt_requests(source: LiteLLMText, entities: Entities) -> Iterator[ServiceRequest]:
    """Stream the requests that `source` makes of these subjects, in their order; nothing is sent.

    Equal prompts give equal keys: they are asked, and paid for, once.
    """
    return requests_of(TemplateRenderer(source, entities), source, entities)


def requests_of(
    renderer: TemplateRenderer, source: LiteLLMText, entities: Entities
) -> Iterator[ServiceRequest]:
    """The same of a telling that somebody else reads the facts of."""
    for k, prompt in enumerate(renderer):
        arguments = {"messages": messages_of(source, prompt), **_parameters(source)}
        yield ServiceRequest(
            keys=(request_key("chat", source, arguments, renderer.prompt.version),),
            arguments=arguments,
            most_input=sum(most_tokens(each["content"]) for each in arguments["messages"]),
            most_output=source.max_tokens,
            about=f"{entities.side} '{entities.ids[k]}'",
        )


def messages_of(source: LiteLLMText, prompt: str) -> list[dict[str, str]]:
    """The system message, if there is one, and the prompt as the user's."""
    system = [{"role": "system", "content": source.system}] if source.system else []
    return [*system, {"role": "user", "content": prompt}]


def _parameters(source: LiteLLMText) -> dict[str, Any]:
    values = {name: getattr(source, name) for name in PARAMETERS}
    return {name: value for name, value in values.items() if value is not None}


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


class AnswerCounts:
    """How many answers of each kind there were, and the first few entities of those that are no text."""

    def __init__(self, source: LiteLLMText, entities: Entities) -> None:
        self._source = source
        self._entities = entities
        self._counts: dict[Verdict, int] = dict.fromkeys(get_args(Verdict), 0)
        self._first: dict[Verdict, list[str]] = {verdict: [] for verdict in MEANINGS}

    def count(self, k: int, verdict: Verdict) -> None:
        """Note the verdict on entity k's answer."""
        self._counts[verdict] += 1
        if verdict != "text" and len(self._first[verdict]) < NAMED:
            self._first[verdict].append(self._entities.ids[k])

    def facts(self) -> dict[str, Any]:
        """Counts, what was done about them, and examples."""
        examples = {verdict: names for verdict, names in self._first.items() if names}
        return {"verdicts": dict(self._counts), "fallback": self._source.fallback, "examples": examples}

    def refuse_if_asked(self) -> None:
        """With `fallback: fail`, raise DataError naming entities when an answer is no text."""
        bad = {verdict: count for verdict, count in self._counts.items() if verdict != "text" and count}
        if self._source.fallback != "fail" or not bad:
            return
        side, total = self._entities.side, sum(self._counts.values())
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


class LiteLLMProvider:
    """Fills a prompt per entity, has it answered through the ledger, and judges the answers.

    Answers that are no text are handled as `fallback` says: the side's default template, filled, in
    their place; no text at all; or a DataError once all are judged. What was answered is never asked
    again, so a run that stopped at a limit or a failure goes on where it was.
    """

    def __init__(self, source: LiteLLMText) -> None:
        self._source = source

    def write(self, entities: Entities, account: Account) -> TextStream:
        """One text per subject, in their order; ServiceError without a ledger."""
        if account.ledger is None:
            raise ServiceError(
                f"text.{entities.side}: there is no ledger to keep the answers of '{self._source.model}' in",
                mend="run it by grasp-bench run, or give the run's context a ledger",
            )
        context = ServiceContext(account.ledger, account.payer, self._source, account.report)
        facts: dict[str, Any] = {}
        return TextStream(
            self._texts(TemplateRenderer(self._source, entities), entities, context, facts), facts
        )

    def _texts(
        self, renderer: TemplateRenderer, entities: Entities, context: ServiceContext, facts: dict[str, Any]
    ) -> Iterator[str]:
        # All that is kept of an entity while others are asked after.
        keys = np.zeros((len(renderer), KEY_BYTES), dtype=np.uint8)
        summary = dispatch("chat", _noting(requests_of(renderer, self._source, entities), keys), context)
        facts |= renderer.facts()
        facts |= {"prompts": len(np.unique(keys, axis=0)), "spend": spend(summary)}
        counts = AnswerCounts(self._source, entities)
        instead = default_renderer(self._source, entities) if self._source.fallback == "template" else None
        for k, answer in enumerate(_answers(context, keys)):
            classified = classify_answer(answer.content.decode("utf-8", errors="replace"), answer.finish)
            counts.count(k, classified.verdict)
            if classified.verdict == "text":
                yield classified.text
            else:
                yield "" if instead is None else instead[k]
        facts |= counts.facts()
        counts.refuse_if_asked()


def spend(summary: Summary) -> dict[str, Any]:
    """What a sidecar keeps of the money: this run's requests, and all that its node ever spent."""
    spent = summary.spent
    return {
        "sent": summary.sent, "reused": summary.reused, "retried": summary.retried,
        "input_tokens": spent.input_tokens, "output_tokens": spent.output_tokens,
        "cost_usd": spent.cost_usd, "lost_requests": spent.lost_requests,
    }  # fmt: skip


def _noting(requests: Iterator[ServiceRequest], keys: np.ndarray) -> Iterator[ServiceRequest]:
    for k, request in enumerate(requests):
        keys[k] = np.frombuffer(request.keys[0], dtype=np.uint8)
        yield request


def _answers(context: ServiceContext, keys: np.ndarray) -> Iterator[Answer]:
    with Ledger(context.ledger) as ledger:
        for start in range(0, len(keys), CHUNK):
            wanted = [key.tobytes() for key in keys[start : start + CHUNK]]
            for answer in ledger.find(wanted):
                if answer is None:
                    raise ServiceError(f"{context.ledger}: an answer is gone from it", mend="run again")
                yield answer

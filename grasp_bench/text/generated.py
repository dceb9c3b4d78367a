"""Generate texts with a language model: make requests, dispatch them, classify and count the answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, get_args

import numpy as np

from grasp_bench.core.errors import DataError, ServiceError
from grasp_bench.services.dispatch import ServiceContext, dispatch
from grasp_bench.services.ledger import CHUNK, Answer, Ledger
from grasp_bench.services.local_files import weights_version
from grasp_bench.services.requests import KEY_BYTES, ServiceRequest, request_key
from grasp_bench.services.tokens import most_tokens
from grasp_bench.text.answers import ClassifiedAnswer, Verdict, classify_answer
from grasp_bench.text.echo import EchoCheck
from grasp_bench.text.litellm_settings import LiteLLMText
from grasp_bench.text.providers import Account, Entities, TextStream
from grasp_bench.text.template_renderer import TemplateRenderer, default_renderer

# Keys of the source that are sent unchanged when they are set.
PARAMETERS = ("max_tokens", "temperature", "top_p", "seed")


def prompt_requests(source: LiteLLMText, entities: Entities) -> Iterator[ServiceRequest]:
    """Yield the requests for these entities, in their order, without sending them.

    Equal prompts have equal keys: they are sent, and paid for, once.
    """
    return requests_of(TemplateRenderer(source, entities), source, entities)


def requests_of(
    renderer: TemplateRenderer, source: LiteLLMText, entities: Entities
) -> Iterator[ServiceRequest]:
    """Yield the requests of a renderer, whose facts the caller reads afterwards."""
    version = f"{renderer.prompt.version}{weights_version(source.model)}"
    for k, prompt in enumerate(renderer):
        yield chat_request(source, prompt, version, f"{entities.side} '{entities.ids[k]}'")


def chat_request(source: LiteLLMText, prompt: str, version: str, about: str) -> ServiceRequest:
    """Return the request for one prompt; `version` is that of its wording, `about` names it in errors."""
    arguments = {"messages": messages_of(source, prompt), **_parameters(source)}
    return ServiceRequest(
        keys=(request_key("chat", source, arguments, version),),
        arguments=arguments,
        most_input=sum(most_tokens(each["content"]) for each in arguments["messages"]),
        most_output=source.max_tokens,
        about=about,
    )


def messages_of(source: LiteLLMText, prompt: str) -> list[dict[str, str]]:
    """Return the system message, if there is one, and the prompt as the user's message."""
    system = [{"role": "system", "content": source.system}] if source.system else []
    return [*system, {"role": "user", "content": prompt}]


def _parameters(source: LiteLLMText) -> dict[str, Any]:
    values = {name: getattr(source, name) for name in PARAMETERS}
    return {name: value for name, value in values.items() if value is not None}


NAMED = 3  # entities named for each class
MEANINGS: dict[Verdict, str] = {
    "na": "say that nothing is known",
    "empty": "are empty",
    "refusal": "are refusals",
    "over_long": "were cut off at max_tokens",
    "incomplete": "ended for a reason that is not known to be complete",
    "echo": "repeat their prompt or would fit any entity",
}
HINTS: dict[Verdict, str] = {
    "na": "tell the model more in the template",
    "empty": "ask another model, or change the template",
    "refusal": "ask another model, or change the template",
    "over_long": "raise max_tokens",
    "incomplete": "ask another model, or see why its provider ends answers so",
    "echo": "ask a better model, or ask it for what the attributes do not say",
}


class AnswerCounts:
    """Counts answers by class, and keeps the first few entities whose answer is not a text."""

    def __init__(self, source: LiteLLMText, entities: Entities) -> None:
        self._source = source
        self._entities = entities
        self._counts: dict[Verdict, int] = dict.fromkeys(get_args(Verdict), 0)
        self._first: dict[Verdict, list[str]] = {verdict: [] for verdict in MEANINGS}

    def count(self, k: int, verdict: Verdict) -> None:
        """Count the class of entity k's answer."""
        self._counts[verdict] += 1
        if verdict != "text" and len(self._first[verdict]) < NAMED:
            self._first[verdict].append(self._entities.ids[k])

    def facts(self) -> dict[str, Any]:
        """Return the counts, the fallback, and examples."""
        examples = {verdict: names for verdict, names in self._first.items() if names}
        return {"verdicts": dict(self._counts), "fallback": self._source.fallback, "examples": examples}

    def refuse_if_asked(self) -> None:
        """Raise DataError naming entities if `fallback` is "fail" and an answer is not a text."""
        bad = {verdict: count for verdict, count in self._counts.items() if verdict != "text" and count}
        if self._source.fallback != "fail" or not bad:
            return
        side, total = self._entities.side, sum(self._counts.values())
        listed = "; ".join(
            f"{count} {MEANINGS[verdict]} ({', '.join(map(repr, self._first[verdict]))}"
            f"{', …' if count > NAMED else ''})"
            for verdict, count in bad.items()
        )
        hints = dict.fromkeys(HINTS[verdict] for verdict in bad)
        raise DataError(
            f"text.{side}: of {total} answers of '{self._source.model}' {listed}",
            hint=f"{'; '.join(hints)}; or set fallback: template (or drop). The other answers are kept",
        )


class LiteLLMProvider:
    """Fills a prompt for each entity, dispatches it, and classifies the answers.

    `fallback` handles answers that are not texts: the side's default template, no text, or a DataError once
    all are classified. An answered request is never sent again, so a run that stopped at a limit or an
    error continues where it stopped.
    """

    def __init__(self, source: LiteLLMText) -> None:
        self._source = source

    def write(self, entities: Entities, account: Account) -> TextStream:
        """Return one text per entity, in their order; raise ServiceError without a ledger."""
        if account.ledger is None:
            raise ServiceError(
                f"text.{entities.side}: there is no ledger to keep the answers of '{self._source.model}' in",
                hint="run it by grasp-bench run, or give the run's context a ledger",
            )
        context = ServiceContext(account.ledger, account.payer, self._source, account.report)
        facts: dict[str, Any] = {}
        return TextStream(
            self._texts(TemplateRenderer(self._source, entities), entities, context, facts), facts
        )

    def _texts(
        self, renderer: TemplateRenderer, entities: Entities, context: ServiceContext, facts: dict[str, Any]
    ) -> Iterator[str]:
        # All that is kept for an entity while requests are made for others.
        keys = np.zeros((len(renderer), KEY_BYTES), dtype=np.uint8)
        summary = dispatch("chat", _recorded(requests_of(renderer, self._source, entities), keys), context)
        facts |= renderer.facts()
        facts |= {"prompts": len(np.unique(keys, axis=0)), "spend": summary.facts()}
        counts = AnswerCounts(self._source, entities)
        instead = default_renderer(self._source, entities) if self._source.fallback == "template" else None
        check, echoes = _echo_check(context, keys), Counter[str]()
        for k, answer in enumerate(_answers(context, keys)):
            classified = _classified(answer)
            verdict = classified.verdict
            if verdict == "text" and (kind := check.kind(classified.text, renderer[k])) is not None:
                echoes[kind] += 1
                verdict = "text" if self._source.echo is None else "echo"
            counts.count(k, verdict)
            if verdict == "text":
                yield classified.text
            else:
                yield "" if instead is None else instead[k]
        facts |= counts.facts() | ({"echoes": dict(echoes)} if echoes else {})
        counts.refuse_if_asked()


SAMPLE = 2000  # answers from which the words that many texts have are learnt


def _echo_check(context: ServiceContext, keys: np.ndarray) -> EchoCheck:
    spread = keys[np.linspace(0, len(keys) - 1, min(SAMPLE, len(keys)), dtype=np.int64)]
    found = (_classified(answer) for answer in _answers(context, spread))
    return EchoCheck.among(each.text for each in found if each.verdict == "text")


def _classified(answer: Answer) -> ClassifiedAnswer:
    return classify_answer(answer.content.decode("utf-8", errors="replace"), answer.finish)


def _recorded(requests: Iterator[ServiceRequest], keys: np.ndarray) -> Iterator[ServiceRequest]:
    for k, request in enumerate(requests):
        keys[k] = np.frombuffer(request.keys[0], dtype=np.uint8)
        yield request


def _answers(context: ServiceContext, keys: np.ndarray) -> Iterator[Answer]:
    with Ledger(context.ledger) as ledger:
        for start in range(0, len(keys), CHUNK):
            wanted = [key.tobytes() for key in keys[start : start + CHUNK]]
            for answer in ledger.find(wanted):
                if answer is None:
                    raise ServiceError(f"{context.ledger}: an answer is gone from it", hint="run again")
                yield answer

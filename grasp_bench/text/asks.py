"""Requests to a language model, one an entity: what would be sent, before anything is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grasp_bench.services.asking import Ask, request_key
from grasp_bench.services.tokens import most_tokens
from grasp_bench.spec.text import LiteLLMText
from grasp_bench.text.subjects import Subjects
from grasp_bench.text.telling import Telling

# Keys of the source that are sent as they stand, where they are set.
PARAMETERS = ("max_tokens", "temperature", "top_p", "seed")


def prompts(source: LiteLLMText, subjects: Subjects) -> Iterator[Ask]:
    """Stream the requests that `source` makes of these subjects, in their order; nothing is sent.

    Equal prompts give equal keys: they are asked, and paid for, once.
    """
    return asks_of(Telling(source, subjects), source, subjects)


def asks_of(telling: Telling, source: LiteLLMText, subjects: Subjects) -> Iterator[Ask]:
    """The same of a telling that somebody else reads the facts of."""
    for k, prompt in enumerate(telling):
        arguments = {"messages": messages_of(source, prompt), **_parameters(source)}
        yield Ask(
            keys=(request_key("chat", source, arguments, telling.prompt.version),),
            arguments=arguments,
            most_input=sum(most_tokens(each["content"]) for each in arguments["messages"]),
            most_output=source.max_tokens,
            about=f"{subjects.side} '{subjects.ids[k]}'",
        )


def messages_of(source: LiteLLMText, prompt: str) -> list[dict[str, str]]:
    """The system message, if there is one, and the prompt as the user's."""
    system = [{"role": "system", "content": source.system}] if source.system else []
    return [*system, {"role": "user", "content": prompt}]


def _parameters(source: LiteLLMText) -> dict[str, Any]:
    values = {name: getattr(source, name) for name in PARAMETERS}
    return {name: value for name, value in values.items() if value is not None}

"""Prompts held to a number of tokens by leaving out the oldest items of a history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from grasp_bench.core.errors import DataError
from grasp_bench.services.tokens import TokenCounter, counter, most_tokens
from grasp_bench.spec.encoder import LiteLLMEncoder
from grasp_bench.spec.text import LiteLLMText, TemplateText


@dataclass(frozen=True)
class Fit:
    """At most `tokens` for a prompt and the system message before it."""

    tokens: int
    before: tuple[str, ...]
    counter: TokenCounter

    @classmethod
    def of(cls, source: TemplateText | LiteLLMText) -> Fit | None:
        """The source's limit; None when it sets none.

        Filled templates are for no language model: they are counted as the default embedding model does.
        """
        if source.max_prompt_tokens is None:
            return None
        if isinstance(source, LiteLLMText):
            before = (source.system,) if source.system else ()
            return cls(source.max_prompt_tokens, before, counter(source.model))
        return cls(source.max_prompt_tokens, (), counter(LiteLLMEncoder().model))

    @property
    def exact(self) -> bool:
        """True when the model's own tokens are counted."""
        return self.counter.exact

    def holds(self, prompt: str) -> bool:
        """True when the prompt is short enough; most are, and need no counting to see it."""
        bound = sum(most_tokens(part) for part in (*self.before, prompt))
        return bound <= self.tokens or self.count(prompt) <= self.tokens

    def count(self, prompt: str) -> int:
        """Tokens of a request with this prompt."""
        return self.counter.count_chat((*self.before, prompt))

    def most(self, items: int, told: Callable[[int], str]) -> int | None:
        """How many of the latest items fit, by bisection; `told(n)` is the prompt that names n of them.

        None when it does not even fit without any.
        """
        if not self.holds(told(0)):
            return None
        fits, does_not = 0, items
        while does_not - fits > 1:
            middle = (fits + does_not) // 2
            if self.holds(told(middle)):
                fits = middle
            else:
                does_not = middle
        return fits

    def refusal(self, about: str, prompt: str) -> DataError:
        """What to say of a prompt from which nothing more can be left out."""
        return DataError(
            f"text.{about}: the prompt has {self.count(prompt)} tokens with no item of a history in it, "
            f"max_prompt_tokens is {self.tokens}",
            mend="raise max_prompt_tokens, shorten the template, or redact long columns",
        )

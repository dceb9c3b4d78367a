"""One request through litellm, and what comes of it: answers, or a failure as a value."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grasp_bench.services.answers import BrokenOff, Unreadable, WrongWidth, read_chat, read_vectors, tokens_of
from grasp_bench.services.asking import Ask, Kind
from grasp_bench.services.exchange import Exchange, watched
from grasp_bench.services.failures import Filtered, Lasting, Passing, understand, words_of
from grasp_bench.services.keys import find_credentials
from grasp_bench.services.ledger import Answer
from grasp_bench.services.library import open_litellm
from grasp_bench.services.prices import cost_of, price_of
from grasp_bench.services.scrub import Scrubber
from grasp_bench.spec.service import Service

# litellm's timeout is for each piece of an answer. A server that sends one byte a minute meets this one,
# which a busy machine does not: the library's first call imports for seconds.
LIBRARY_SECONDS = 30.0


class Caller:
    """Knows the way to one service. Raises ServiceError where a key is missing.

    A provider that counts no tokens, or counts nonsense, is taken to have used the request's upper
    bounds: better to stop early than to spend what nobody counts.
    """

    def __init__(self, kind: Kind, service: Service) -> None:
        self._kind = kind
        self._litellm = open_litellm()
        credentials = find_credentials(service, self._litellm, Path.cwd())
        self._send = self._litellm.acompletion if kind == "chat" else self._litellm.aembedding
        self._read = self._read_chat if kind == "chat" else self._read_vectors
        self._price = price_of(service)
        self._most_seconds = service.timeout_seconds + LIBRARY_SECONDS
        self._scrubber = Scrubber(credentials.secrets)
        self._key_name = credentials.key_name
        self._fixed: dict[str, Any] = {
            "model": service.model,
            "timeout": service.timeout_seconds,
            "num_retries": 0,  # each would send several requests, unseen by budget and rates
            "max_retries": 0,
            "drop_params": True,
            **({"api_base": service.api_base} if service.api_base else {}),
            **credentials.arguments,
        }

    async def call(self, ask: Ask) -> tuple[Answer, ...] | Passing | Lasting:
        """Send it once. One answer per key of the ask, each fit to be kept."""
        response, failed = None, None
        with watched() as exchange:
            try:
                async with asyncio.timeout(self._most_seconds):
                    headers = {"Idempotency-Key": ask.name}
                    response = await self._send(**self._fixed, **ask.arguments, extra_headers=headers)
            except Exception as error:
                failed = error
        if failed is not None and (failure := self._failure(failed, exchange, ask)) is not None:
            return self._forbidden(ask) if isinstance(failure, Filtered) else failure
        try:
            return self._read(exchange.body(), response, ask)
        except WrongWidth as wrong:
            return Lasting(
                str(wrong), f"set encoder.dimensions: {wrong.found} if that is what the model gives"
            )
        except BrokenOff as ended:
            return Passing(None, f"the answer was broken off: {ended}", True, None)
        except (Unreadable, LookupError, TypeError, ValueError, AttributeError) as error:
            why = f": {error}" if isinstance(error, Unreadable) else ""
            return Passing(None, f"the answer cannot be read{why}", True, None)

    def _failure(self, error: Exception, exchange: Exchange, ask: Ask) -> Passing | Lasting | Filtered | None:
        """What an exception means; None where litellm only could not read an answer that came whole."""
        words = self._scrubber.message(words_of(exchange) or error, ask.arguments)
        failure = understand(error, words, self._key_name, exchange)
        readable = exchange.whole and not exchange.is_error and exchange.refused is None
        return None if readable and isinstance(failure, Passing) else failure

    def _read_chat(self, body: Any, response: Any, ask: Ask) -> tuple[Answer, ...]:
        text, finish = read_chat(body, response, ask.most_output)
        content = text.encode("utf-8", errors="replace")
        counted = tokens_of(body, response, (ask.most_input, ask.most_output), bool(text))
        return self._answers([(content, finish)], *counted)

    def _read_vectors(self, body: Any, response: Any, ask: Ask) -> tuple[Answer, ...]:
        vectors = read_vectors(body, response, len(ask.keys), ask.width)
        counted = tokens_of(body, response, (ask.most_input, 0), False)
        return self._answers([(vector.tobytes(), "stop") for vector in vectors], *counted)

    async def close(self) -> None:
        """Close the connections, which belong to the running loop."""
        await self._litellm.close_litellm_async_clients()

    def _forbidden(self, ask: Ask) -> tuple[Answer, ...] | Lasting:
        """Silence is an answer to a prompt; a text without a vector is of no use."""
        if self._kind == "embedding":
            return Lasting("the provider's content policy forbids this text", "redact it, or leave it out")
        # Some providers bill the prompt that they would not answer.
        return self._answers([(b"", "content_filter")], ask.most_input, 0)

    def _answers(
        self, contents: Sequence[tuple[bytes, str]], inward: int, outward: int
    ) -> tuple[Answer, ...]:
        """What one request took, shared among its answers so that the sum is right."""
        n = len(contents)
        return tuple(
            Answer(content, finish, tokens_in, tokens_out, cost_of(self._price, tokens_in, tokens_out))
            for k, (content, finish) in enumerate(contents)
            for tokens_in, tokens_out in [(_share(inward, k, n), _share(outward, k, n))]
        )


def _share(whole: int, k: int, n: int) -> int:
    return whole // n + (k < whole % n)

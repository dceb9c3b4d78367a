"""One request through litellm, and what comes of it: answers, or a failure as a value."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from grasp_bench.services.asking import Ask, Kind
from grasp_bench.services.failures import Filtered, Lasting, Passing, understand
from grasp_bench.services.keys import find_credentials
from grasp_bench.services.ledger import Answer
from grasp_bench.services.library import open_litellm
from grasp_bench.services.prices import cost_of, price_of
from grasp_bench.services.redirects import refused_redirect, staying_with_the_host
from grasp_bench.services.scrub import Scrubber
from grasp_bench.spec.service import Service

# litellm's timeout is for each piece of an answer. A server that sends one byte a minute meets this one,
# which a busy machine does not: the library's first call imports for seconds.
LIBRARY_SECONDS = 30.0

MOST_COUNTED = 10**9  # tokens of one request that are believed; budgets add them up, the ledger keeps them


class Caller:
    """Knows the way to one service. Raises ServiceError where a key is missing.

    A provider that counts no tokens, or counts nonsense, is taken to have used the request's upper
    bounds: better to stop early than to spend what nobody counts.
    """

    def __init__(self, kind: Kind, service: Service) -> None:
        self._litellm = open_litellm()
        credentials = find_credentials(service, self._litellm, Path.cwd())
        self._send = self._litellm.acompletion if kind == "chat" else self._litellm.aembedding
        self._read = _chat if kind == "chat" else _vectors
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
        """Send it once. One answer per key of the ask."""
        headers = {"Idempotency-Key": ask.name}
        try:
            with staying_with_the_host():
                async with asyncio.timeout(self._most_seconds):
                    response = await self._send(**self._fixed, **ask.arguments, extra_headers=headers)
        except Exception as error:
            if (refused := refused_redirect(error)) is not None:
                return Lasting(str(refused), refused.mend)
            failure = understand(error, self._scrubber.message(error, ask.arguments), self._key_name)
            return self._forbidden(ask) if isinstance(failure, Filtered) else failure
        try:
            contents = self._read(response, len(ask.keys))
        except (LookupError, TypeError, ValueError, AttributeError):
            return Passing(None, "the answer has not the form of one", True, None)
        return self._answers(ask, contents, *_counted(response, ask))

    async def close(self) -> None:
        """Close the connections, which belong to the running loop."""
        await self._litellm.close_litellm_async_clients()

    def _forbidden(self, ask: Ask) -> tuple[Answer, ...] | Lasting:
        """Silence is an answer to a prompt; a text without a vector is of no use."""
        if self._read is _vectors:
            return Lasting("the provider's content policy forbids this text", "redact it, or leave it out")
        # Some providers bill the prompt that they would not answer.
        return self._answers(ask, [(b"", "content_filter")], ask.most_input, 0)

    def _answers(
        self, ask: Ask, contents: Sequence[tuple[bytes, str]], inward: int, outward: int
    ) -> tuple[Answer, ...]:
        """What one request took, shared among its answers so that the sum is right."""
        n = len(contents)
        return tuple(
            Answer(content, finish, tokens_in, tokens_out, cost_of(self._price, tokens_in, tokens_out))
            for k, (content, finish) in enumerate(contents)
            for tokens_in, tokens_out in [(_share(inward, k, n), _share(outward, k, n))]
        )


def _counted(response: Any, ask: Ask) -> tuple[int, int]:
    """Tokens in and out, as the provider counts them."""
    usage = getattr(response, "usage", None)
    inward = int(getattr(usage, "prompt_tokens", None) or 0)
    outward = int(getattr(usage, "completion_tokens", None) or 0)
    if min(inward, outward) < 0 or not 0 < inward + outward <= MOST_COUNTED:
        return ask.most_input, ask.most_output
    return inward, outward


def _share(whole: int, k: int, n: int) -> int:
    return whole // n + (k < whole % n)


def _chat(response: Any, count: int) -> list[tuple[bytes, str]]:
    if not response.choices:
        return [(b"", "stop")]
    choice = response.choices[0]
    message = choice.message
    refusal = (getattr(message, "provider_specific_fields", None) or {}).get("refusal")
    finish = "refusal" if refusal or getattr(message, "refusal", None) else (choice.finish_reason or "stop")
    storable = str(finish).encode("utf-8", errors="replace").decode()
    return [((message.content or "").encode("utf-8", errors="replace"), storable)]


def _vectors(response: Any, count: int) -> list[tuple[bytes, str]]:
    """In the order of the texts; ValueError where vectors are missing or not finite."""
    rows: list[bytes | None] = [None] * count
    for entry in response.data:
        values = _field(entry, "embedding")
        vector = (
            np.frombuffer(base64.b64decode(values), dtype="<f4")
            if isinstance(values, str)
            else np.asarray(values, dtype="<f4")
        )
        if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
            raise ValueError
        rows[_field(entry, "index")] = vector.tobytes()
    if len(response.data) != count or None in rows:
        raise ValueError
    return [(row or b"", "stop") for row in rows]


def _field(entry: Any, name: str) -> Any:
    return entry[name] if isinstance(entry, Mapping) else getattr(entry, name)

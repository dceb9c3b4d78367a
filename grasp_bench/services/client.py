"""Send one request through litellm and return its answers, or its failure without keys and sent texts.

litellm is imported late (2 s), without its logging and callbacks, and always verifies TLS.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from grasp_bench.services import local_provider
from grasp_bench.services.answers import BrokenOff, Unreadable, WrongWidth, read_chat, read_vectors, tokens_of
from grasp_bench.services.credentials import find_credentials
from grasp_bench.services.errors import (
    ContentFiltered,
    PermanentError,
    TransientError,
    classify_error,
    provider_message,
)
from grasp_bench.services.exchange import Exchange, watch, watched
from grasp_bench.services.ledger import Answer
from grasp_bench.services.prices import cost_of, price_of
from grasp_bench.services.requests import Kind, ServiceRequest
from grasp_bench.spec.service import LOCAL, Service

HIDDEN = "[…]"
SHORTEST_SECRET = 6  # shorter values ("none", "test") are no secrets and occur inside words
KEY_PIECE = 8  # providers echo keys in part: `sk-abcdefgh***`
TEXT_PIECE = 12
LONGEST_MESSAGE = 300
SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)


def secrets_of(environment: Mapping[str, str | None]) -> set[str]:
    """Return the values whose names look like those of keys."""
    return {
        value
        for name, value in environment.items()
        if value and len(value) >= SHORTEST_SECRET and SECRET_NAME.search(name)
    }


class Redactor:
    """Redacts texts of the request, the given secrets, and every key in the environment."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = {each for each in secrets if len(each) >= SHORTEST_SECRET} | secrets_of(os.environ)

    def message(self, error: object, sent: Mapping[str, Any]) -> str:
        """Return an error as one short line, without pieces of keys or of the request's texts."""
        text = " ".join(str(error).split())
        text = _without(text, self._secrets, KEY_PIECE)
        text = _without(text, {" ".join(each.split()) for each in _texts(sent)}, TEXT_PIECE)
        return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"


def _without(text: str, hidden: Iterable[str], piece: int) -> str:
    """Hide every run of `piece` characters or more that occurs in a value (or all of a shorter value)."""
    found = [False] * len(text)
    for value in hidden:
        width = min(piece, len(value))
        for start in range(len(text) - width + 1) if width else ():
            if text[start : start + width] in value:
                found[start : start + width] = [True] * width
    pieces: list[str] = []
    for index, (letter, hide) in enumerate(zip(text, found, strict=True)):
        if not hide:
            pieces.append(letter)
        elif index == 0 or not found[index - 1]:
            pieces.append(HIDDEN)
    return "".join(pieces)


def _texts(sent: Any) -> Iterable[str]:
    """Yield every string in the arguments of a request."""
    if isinstance(sent, str):
        yield sent
    elif isinstance(sent, Mapping):
        for each in sent.values():
            yield from _texts(each)
    elif isinstance(sent, list | tuple):
        for each in sent:
            yield from _texts(each)


# In debug mode they print requests, with prompts and keys.
TALKATIVE = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "openai", "httpx", "httpcore", "aiohttp")
LISTENERS = (
    "callbacks", "input_callback", "success_callback", "failure_callback", "_async_input_callback",
    "_async_success_callback", "_async_failure_callback",
)  # fmt: skip
CONNECTION_LIMITS = ("AIOHTTP_CONNECTOR_LIMIT", "AIOHTTP_CONNECTOR_LIMIT_PER_HOST")
MOST_CONNECTIONS = 4096  # the highest concurrency


def open_litellm() -> Any:
    """Return the module `litellm`; call this before each series of requests, since it sets up TLS."""
    _verify_tls()
    return _import_litellm()


def _verify_tls() -> None:
    """Turn TLS verification on; litellm reads SSL_VERIFY, where only a certificate bundle may stay."""
    asked = os.environ.get("SSL_VERIFY")
    if asked is not None and not Path(asked).is_file():
        os.environ["SSL_VERIFY"] = "True"


@lru_cache(maxsize=1)
def _import_litellm() -> Any:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else the import fetches a map from the network
    os.environ.pop("LITELLM_LOG", None)
    for name in CONNECTION_LIMITS:  # read at import; the workers limit connections
        os.environ.setdefault(name, str(MOST_CONNECTIONS))
    litellm: Any = importlib.import_module("litellm")
    litellm.telemetry = False
    litellm.suppress_debug_info = True  # "Give Feedback / Get Help" at each error
    litellm.set_verbose = False
    # No callbacks. (`turn_off_message_logging` would copy every answer three times: a sixth of a call's CPU.)
    for name in LISTENERS:
        setattr(litellm, name, [])
    litellm.drop_params = True  # leave out parameters that a provider does not know (seed, top_p)
    litellm.num_retries = None
    litellm.DEFAULT_MAX_RETRIES = 0  # embedding requests take max_retries=0 for this default
    litellm.ssl_verify = True
    _watch_transports()
    litellm.cache = None
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # The warning would show an answer.
    warnings.filterwarnings("ignore", message="Pydantic serializer warnings")
    return litellm


def _watch_transports() -> None:
    """Record the traffic of every HTTP transport that litellm makes in the current Exchange."""
    handler: Any = importlib.import_module("litellm.llms.custom_httpx.http_handler").AsyncHTTPHandler
    make = handler.create_async_transport

    def make_watched(*arguments: Any, **settings: Any) -> Any:
        transport = make(*arguments, **settings)
        if transport is not None:  # httpx's own, where aiohttp is turned off
            watch(transport)
        return transport

    handler.create_async_transport = staticmethod(make_watched)


# litellm's timeout applies to each piece of an answer, so a server may send one byte a minute. The whole
# request gets this much more; the library's first call imports for seconds.
LIBRARY_SECONDS = 30.0


class ServiceClient:
    """Sends requests to one service. Raises ServiceError when a key is missing.

    Without a plausible token count from the provider, a request counts at its upper bounds: it is better to
    stop early than to spend uncounted money.
    """

    def __init__(self, kind: Kind, service: Service) -> None:
        self._kind = kind
        self._litellm = open_litellm()
        is_local = service.model.startswith(LOCAL)
        if is_local:
            local_provider.register(self._litellm, service.model)
        credentials = find_credentials(service, self._litellm, Path.cwd())
        self._send = self._litellm.acompletion if kind == "chat" else self._litellm.aembedding
        self._read = self._read_chat if kind == "chat" else self._read_vectors
        self._price = price_of(service)
        # Nothing is lost on the way to a model in this process, which takes the time that it needs.
        self._most_seconds = None if is_local else service.timeout_seconds + LIBRARY_SECONDS
        self._redactor = Redactor(credentials.secrets)
        self._key_name = credentials.key_name
        self._fixed: dict[str, Any] = {
            "model": service.model,
            "timeout": service.timeout_seconds,
            "num_retries": 0,  # the budget and the limits must see every request
            "max_retries": 0,
            "drop_params": True,
            **({"api_base": service.api_base} if service.api_base else {}),
            **credentials.arguments,
        }

    async def call(self, request: ServiceRequest) -> tuple[Answer, ...] | TransientError | PermanentError:
        """Send a request once; return one valid answer for each of its keys, or a failure."""
        response, failed = None, None
        with watched() as exchange:
            try:
                async with asyncio.timeout(self._most_seconds):
                    headers = {"Idempotency-Key": request.name}
                    response = await self._send(**self._fixed, **request.arguments, extra_headers=headers)
            except Exception as error:
                failed = error
        if failed is not None and (failure := self._failure(failed, exchange, request)) is not None:
            return self._forbidden(request) if isinstance(failure, ContentFiltered) else failure
        try:
            return self._read(exchange.body(), response, request)
        except WrongWidth as wrong:
            return PermanentError(
                str(wrong), f"set encoder.dimensions: {wrong.found} if that is what the model gives"
            )
        except BrokenOff as ended:
            return TransientError(None, f"the answer was broken off: {ended}", True, None)
        except (Unreadable, LookupError, TypeError, ValueError, AttributeError) as error:
            why = f": {error}" if isinstance(error, Unreadable) else ""
            return TransientError(None, f"the answer cannot be read{why}", True, None)

    def _failure(
        self, error: Exception, exchange: Exchange, request: ServiceRequest
    ) -> TransientError | PermanentError | ContentFiltered | None:
        """Classify an exception; None when litellm failed only to read a complete answer."""
        message = self._redactor.message(provider_message(exchange) or error, request.arguments)
        failure = classify_error(error, message, self._key_name, exchange)
        readable = exchange.whole and not exchange.is_error and exchange.refused is None
        return None if readable and isinstance(failure, TransientError) else failure

    def _read_chat(self, body: Any, response: Any, request: ServiceRequest) -> tuple[Answer, ...]:
        text, finish = read_chat(body, response, request.most_output)
        content = text.encode("utf-8", errors="replace")
        counted = tokens_of(body, response, (request.most_input, request.most_output), bool(text))
        return self._answers([(content, finish)], *counted)

    def _read_vectors(self, body: Any, response: Any, request: ServiceRequest) -> tuple[Answer, ...]:
        vectors = read_vectors(body, response, len(request.keys), request.width)
        counted = tokens_of(body, response, (request.most_input, 0), False)
        return self._answers([(vector.tobytes(), "stop") for vector in vectors], *counted)

    async def close(self) -> None:
        """Close the connections, which belong to the running loop."""
        await self._litellm.close_litellm_async_clients()

    def _forbidden(self, request: ServiceRequest) -> tuple[Answer, ...] | PermanentError:
        """Handle a filtered request: an empty answer to a prompt, an error for an embedding."""
        if self._kind == "embedding":
            return PermanentError(
                "the provider's content policy forbids this text", "redact it, or leave it out"
            )
        # Some providers bill a prompt that they refuse to answer.
        return self._answers([(b"", "content_filter")], request.most_input, 0)

    def _answers(
        self, contents: Sequence[tuple[bytes, str]], inward: int, outward: int
    ) -> tuple[Answer, ...]:
        """Divide the tokens of one request among its answers; the sum is exact."""
        n = len(contents)
        return tuple(
            Answer(content, finish, tokens_in, tokens_out, cost_of(self._price, tokens_in, tokens_out))
            for k, (content, finish) in enumerate(contents)
            for tokens_in, tokens_out in [(_share(inward, k, n), _share(outward, k, n))]
        )


def _share(whole: int, k: int, n: int) -> int:
    return whole // n + (k < whole % n)

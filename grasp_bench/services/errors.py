"""Classify failures of a request as transient, permanent or filtered, as plain values.

Values, because a raised exception chains litellm's own, which holds the key. The HTTP status decides, found
at the root of litellm's exception: its classes are ambiguous (a 403 is an APIError, and so may be a
connection that was cut).
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from grasp_bench.core.errors import ServiceError
from grasp_bench.core.words import readable
from grasp_bench.services.exchange import Exchange
from grasp_bench.services.limits import seconds_of

BUSY = frozenset({429, 503, 529})  # 529: Anthropic's "overloaded"
RETRIED = frozenset({408, 409, 425, 429})  # and all from 500 on
# A request that timed out may have been billed.
PERHAPS_BILLED = frozenset({408, 504})
NEVER_ARRIVED = ("ConnectError", "ConnectTimeout", "PoolTimeout", "ClientConnectorError", "gaierror")
OUT_OF_CREDIT = ("insufficient_quota", "billing_hard_limit_reached", "credit balance is too low")
FILTERED = ("content_filter", "content_policy_violation", "responsibleaipolicyviolation")


@dataclass(frozen=True, slots=True)
class TransientError:
    """A failure that may pass. `status` is None without an answer; `retry_after` is in seconds."""

    status: int | None
    message: str
    perhaps_billed: bool
    retry_after: float | None

    @property
    def busy(self) -> bool:
        """True when the provider asks for fewer requests."""
        return self.status in BUSY


@dataclass(frozen=True, slots=True)
class PermanentError:
    """A failure that needs an action by the user."""

    message: str
    hint: str
    perhaps_billed: bool = False


@dataclass(frozen=True, slots=True)
class ContentFiltered:
    """The provider's content policy forbids an answer."""


def classify_error(
    error: BaseException, message: str, key_name: str, exchange: Exchange | None = None
) -> TransientError | PermanentError | ContentFiltered:
    """Classify an exception; `said` is its scrubbed message, `key_name` where the key came from.

    Only a real HTTP error, or a connection that was never made, means that nothing was billed.
    """
    root = list(_causes(error))
    names = {type(each).__name__ for each in root}
    exchange = exchange or Exchange()
    if exchange.refused is not None:
        return PermanentError(
            exchange.refused, "set api_base to the address that it leads to, if you trust it"
        )
    status, headers = (exchange.status, exchange.headers) if exchange.is_error else _response(root)
    code = f"{_codes(root)} {error} {exchange.text if exchange.is_error else ''}".lower()
    if "ContentPolicyViolationError" in names or (status == 400 and any(word in code for word in FILTERED)):
        return ContentFiltered()
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in root):
        return PermanentError(
            f"the server's certificate is not trusted ({message})",
            "set SSL_CERT_FILE to a bundle that holds its authority; verification cannot be turned off",
        )
    if any(word in code for word in OUT_OF_CREDIT):
        return PermanentError(message, "add credit to the provider's account, or use another key")
    if exchange.status is not None and not exchange.is_error:
        return TransientError(None, message, True, None)  # whatever status litellm reports
    if status is None or status in RETRIED or status >= 500:
        if exchange.is_error:
            unbilled = status not in PERHAPS_BILLED
        else:  # litellm invents most statuses, but not that of a busy provider
            unbilled = status in BUSY or not names.isdisjoint(NEVER_ARRIVED)
        return TransientError(status, message, not unbilled, _retry_after(headers))
    return PermanentError(f"{status}: {message}", _hint(status, names, code, key_name))


def provider_message(exchange: Exchange) -> str:
    """Return the provider's message about an HTTP error, or an empty string."""
    if not exchange.is_error:
        return ""
    body = exchange.body()
    holders = (body.get("error"), body) if isinstance(body, Mapping) else ()
    for holder in holders:
        if isinstance(holder, str):
            return holder
        for key in ("message", "detail", "error"):
            if isinstance(holder, Mapping) and (message := holder.get(key)):
                return message if isinstance(message, str) else json.dumps(message)
    return exchange.text


def permanent_error(about: str, model: str, failure: PermanentError) -> ServiceError:
    """Return the error to raise; it names the request, never its text."""
    return ServiceError(f"{about}: {model}: {failure.message}", hint=failure.hint)


def attempts_exhausted(about: str, model: str, failure: TransientError, attempts: int) -> ServiceError:
    """Return the error to raise after the last attempt."""
    reached = "no answer" if failure.status is None else str(failure.status)
    return ServiceError(
        f"{about}: {model}: {reached} at {attempts} attempts, last: {failure.message}",
        hint="see that the service runs and can be reached (api_base), then run again: answers are kept",
    )


def rate_limited_too_long(about: str, model: str, failure: TransientError, seconds: float) -> ServiceError:
    """Return the error to raise when a provider has refused all requests for too long."""
    return ServiceError(
        f"{about}: {model}: too many requests, for {readable(seconds)} ({failure.status}: {failure.message})",
        hint="run again later, answers are kept; requests_per_minute and concurrency ask for less",
    )


def _hint(status: int, names: set[str], code: str, key_name: str) -> str:
    if status in (401, 403):
        return f"see that {key_name} holds a valid key that may use this model"
    if status == 402:
        return "add credit to the provider's account"
    if "ContextWindowExceededError" in names or "context_length_exceeded" in code:
        return "set max_prompt_tokens (text) or a smaller max_tokens (encoder): requests must fit the model"
    if "LLM Provider NOT provided".lower() in code:
        return "say the provider in model, as litellm does: openai/gpt-4o-mini, ollama/qwen2.5:7b"
    if status == 404:
        return "see that model and api_base are right: an OpenAI-compatible api_base usually ends in /v1"
    return "the provider does not take this request as it is: see model and the parameters beside it"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _response(errors: list[BaseException]) -> tuple[int | None, Mapping[str, str]]:
    """Return the real HTTP status and headers; litellm invents a status where there was none."""
    for error in reversed(errors):
        response = getattr(error, "response", None)
        if type(error).__module__.partition(".")[0] in ("httpx", "openai") and response is not None:
            # A 200 that cannot be read counts as no answer.
            return (response.status_code, response.headers) if response.status_code >= 400 else (None, {})
    if any(type(each).__module__.startswith(("httpx", "aiohttp", "openai", "json")) for each in errors):
        return None, {}
    status = getattr(errors[0], "status_code", None)
    headers = getattr(getattr(errors[0], "response", None), "headers", None) or {}
    return (int(status), headers) if isinstance(status, int) else (None, headers)


def _codes(errors: list[BaseException]) -> str:
    bodies: list[Any] = [getattr(error, "body", None) for error in errors]
    return " ".join(str(body.get("code")) for body in bodies if isinstance(body, Mapping))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    milliseconds = seconds_of(headers.get("retry-after-ms"))
    return milliseconds / 1000 if milliseconds is not None else seconds_of(headers.get("retry-after"))

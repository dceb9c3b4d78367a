"""litellm's own exceptions, sorted; and what is left of messages that repeat keys or prompts."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.services.client import HIDDEN, Redactor, open_litellm
from grasp_bench.services.errors import ContentFiltered, PermanentError, TransientError, classify_error
from grasp_bench.services.exchange import Exchange

KEY = "sk-proj-Qm7zP2xVt9LrKw4NcYb8"
WHO = {"model": "gpt-4o-mini", "llm_provider": "openai"}


def answered(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, request=httpx.Request("POST", "https://api.example/v1"))


def failure(name: str, message: str = "no", **more: Any) -> TransientError | PermanentError | ContentFiltered:
    exceptions = open_litellm().exceptions
    return classify_error(getattr(exceptions, name)(message=message, **WHO, **more), "said", "OPENAI_API_KEY")


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("AuthenticationError", "no", "OPENAI_API_KEY holds a valid key"),
        ("ContextWindowExceededError", "too long", "max_prompt_tokens"),
        ("BadRequestError", "LLM Provider NOT provided. You passed model=x", "openai/gpt-4o-mini"),
        ("BadRequestError", "context_length_exceeded", "max_prompt_tokens"),
        ("NotFoundError", "no such model", "model and api_base"),
        ("BadRequestError", "unknown parameter", "does not take this request"),
        ("RateLimitError", "You exceeded your quota: insufficient_quota", "credit"),
    ],
)
def test_what_lasts_has_a_mend(name: str, message: str, hint: str) -> None:
    found = failure(name, message)
    assert isinstance(found, PermanentError)
    assert hint in found.hint


def test_a_forbidden_answer_is_no_error() -> None:
    assert failure("ContentPolicyViolationError") == ContentFiltered()


def test_what_passes_says_whether_it_was_billed() -> None:
    busy = failure("RateLimitError", response=answered(429, **{"retry-after": "7"}))
    assert busy == TransientError(429, "said", perhaps_billed=False, retry_after=7.0)
    assert busy.busy
    soon = failure("RateLimitError", response=answered(429, **{"retry-after-ms": "250", "retry-after": "1"}))
    assert isinstance(soon, TransientError)
    assert soon.retry_after == 0.25
    made_up = failure("InternalServerError")
    assert made_up == TransientError(500, "said", perhaps_billed=True, retry_after=None)
    exception = open_litellm().exceptions.InternalServerError(message="no", **WHO)
    real = classify_error(exception, "said", "KEY", Exchange(sent=1, status=500))
    assert real == TransientError(500, "said", perhaps_billed=False, retry_after=None)
    late = failure("Timeout")
    assert isinstance(late, TransientError)
    assert late.perhaps_billed


def test_what_never_arrived_was_not_billed() -> None:
    """As it comes out of litellm: its own exception, and at the end of its causes what really happened."""
    for cause, billed in ((httpx.ConnectError("refused"), False), (httpx.ReadError("cut"), True)):
        outer = open_litellm().exceptions.InternalServerError(message="Connection error.", **WHO)
        outer.__cause__ = cause
        assert classify_error(outer, "said", "KEY") == TransientError(None, "said", billed, None)


def test_exceptions_of_no_kind_may_pass() -> None:
    assert isinstance(classify_error(RuntimeError("a fault of the library"), "said", "KEY"), TransientError)
    assert isinstance(classify_error(TimeoutError(), "said", "KEY"), TransientError)


@pytest.mark.parametrize(
    "echo",
    [KEY, KEY[:14] + "***", f"…{KEY[-9:]}", f"Bearer {KEY}", f"'{KEY}' is wrong, {KEY}!"],
)
def test_no_part_of_a_key_is_left(echo: str) -> None:
    message = Redactor([KEY]).message(f"Incorrect API key provided: {echo}", {})
    assert message.startswith("Incorrect API key provided: ")
    assert HIDDEN in message
    assert not any(KEY[start : start + 8] in message for start in range(len(KEY) - 7))


def test_keys_of_the_environment_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SERVICE_API_KEY", KEY)
    assert KEY not in Redactor().message(f"got {KEY}", {})


def test_what_was_sent_is_not_repeated() -> None:
    sent = {
        "messages": [{"role": "user", "content": "Jane Roe, born 1970,\nbought a rare balm"}],
        "max_tokens": 5,
    }
    message = Redactor().message("invalid content 'Jane Roe, born 1970, bought a rare balm' in request", sent)
    assert message == f"invalid content '{HIDDEN}' in request"


@given(text=st.text(), secret=st.text(min_size=8, max_size=40), before=st.text())
def test_a_secret_never_survives(text: str, secret: str, before: str) -> None:
    plain = " ".join(secret.split())
    message = Redactor([plain]).message(before + plain + text, {})
    assert len(plain) < 6 or plain not in message or plain in HIDDEN


def test_messages_are_one_short_line() -> None:
    message = Redactor().message("a\nb\t c " + "long " * 400, {})
    assert message.startswith("a b c long")
    assert len(message) <= 300

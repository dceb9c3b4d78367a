"""Redirects of services: followed on the host that was asked, and nowhere else.

A redirected request carries the prompt, and the key where its header is one that httpx does not take out
(x-api-key, api-key). All of litellm's ways to a provider end in `send` of an httpx client: it is held there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

FOLLOWED_AT_MOST = 5
_ASKING: ContextVar[bool] = ContextVar("asking a service", default=False)


class RefusedRedirectError(Exception):
    """A server sends a request on to another host. Says both hosts, and nothing of what was sent."""

    def __init__(self, asked: str, other: str) -> None:
        self.asked, self.other = asked, other
        super().__init__(f"{asked} redirects to another host, {other}, which is not followed")

    @property
    def mend(self) -> str:
        """What to do about it."""
        return (
            f"set api_base to an address at {self.other} if that is the service meant; nothing was sent there"
        )


@contextmanager
def staying_with_the_host() -> Iterator[None]:
    """Within, httpx clients do not go on to other hosts but raise `RefusedRedirectError`."""
    _hold_redirects()
    token = _ASKING.set(True)
    try:
        yield
    finally:
        _ASKING.reset(token)


def refused_redirect(error: BaseException | None) -> RefusedRedirectError | None:
    """The refusal that an exception of a client library came from, if it did."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, RefusedRedirectError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


@lru_cache(maxsize=1)
def _hold_redirects() -> None:
    """Give httpx's clients a `send` that stays, and outside of `staying_with_the_host` is their own."""
    import httpx

    send, send_async = httpx.Client.send, httpx.AsyncClient.send

    def held(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        if not _ASKING.get():
            return send(client, request, **options)
        options["follow_redirects"] = False
        response = send(client, request, **options)
        for _ in range(FOLLOWED_AT_MOST):
            if response.next_request is None:
                break
            response.close()
            response = send(client, _at_the_same_host(response), **options)
        return response

    async def held_async(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
        if not _ASKING.get():
            return await send_async(client, request, **options)
        options["follow_redirects"] = False
        response = await send_async(client, request, **options)
        for _ in range(FOLLOWED_AT_MOST):
            if response.next_request is None:
                break
            await response.aclose()
            response = await send_async(client, _at_the_same_host(response), **options)
        return response

    # mypy sees methods as constants.
    setattr(httpx.Client, "send", held)  # noqa: B010
    setattr(httpx.AsyncClient, "send", held_async)  # noqa: B010


def _at_the_same_host(response: Any) -> Any:
    """The request that follows a redirect; RefusedRedirectError when another host would get it.

    A port is part of the host, but for http on 80 that becomes https on 443.
    """
    asked, other = response.request.url, response.next_request.url
    same = (asked.scheme, asked.host, asked.port) == (other.scheme, other.host, other.port)
    safer = (asked.scheme, asked.port, other.scheme, other.port) == ("http", None, "https", None)
    if not (same or (safer and asked.host == other.host)):
        raise RefusedRedirectError(_host(asked), _host(other))
    return response.next_request


def _host(url: Any) -> str:
    return f"{url.scheme}://{url.netloc.decode()}"

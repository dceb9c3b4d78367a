"""Record one request as it crossed the wire: the provider's own status, headers and body.

litellm changes what providers send: it invents a status, counts tokens, turns unknown finish reasons into
"stop", and sends again by itself. Costs depend on the real answer, so each of its HTTP transports is watched.
A request may be sent once, since retries are decided here, and a redirect may lead only to another address
of the same host and port.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

MOST_BYTES = 256 * 2**20  # of one answer: 2,048 vectors of 4,096 numbers in JSON take 170 MB
SAME_REQUEST = (307, 308)  # redirects that keep method and body
MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, *SAME_REQUEST)


@dataclass
class Exchange:
    """One request and its answer as they crossed the wire.

    `status` is None without an answer, or when a library sends by an unwatched transport. `refused` says why
    a redirect was not followed; `whole` is True once the body is complete.
    """

    sent: int = 0
    status: int | None = None
    headers: Any = field(default_factory=dict)
    refused: str | None = None
    whole: bool = False
    _origin: tuple[str, str, int | None] | None = None
    _request: Any = None
    _chunks: list[bytes] = field(default_factory=list)

    @property
    def is_error(self) -> bool:
        """True for an HTTP error, which is not billed."""
        return self.status is not None and self.status >= 400

    @property
    def text(self) -> str:
        """The body received so far, decompressed and decoded."""
        import httpx

        if self.status is None:
            return ""
        try:
            whole = httpx.Response(self.status, headers=self.headers, content=b"".join(self._chunks))
            return whole.text
        except (httpx.HTTPError, LookupError):
            return ""

    def body(self) -> Any:
        """Parse the body as JSON; None when it is not JSON."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None

    def admit(self, request: httpx.Request) -> None:
        """Record a request that is about to be sent; raise httpx.RequestError when it must not be."""
        import httpx

        origin = (request.url.scheme, request.url.host, request.url.port)
        if self.sent and (why := self._forbidden(request, origin)):
            raise httpx.RequestError(why, request=request)
        self.sent += 1
        self._origin, self._request = self._origin or origin, request
        self.status, self.whole, self._chunks = None, False, []

    def _forbidden(self, request: httpx.Request, origin: tuple[str, str, int | None]) -> str | None:
        assert self._origin is not None
        if self.status not in REDIRECTS:
            return "a request is sent once an attempt"
        encrypted = ("https", self._origin[1], None)  # from http, on the usual ports
        asked = f"{self._request.url.scheme}://{self._request.url.netloc.decode()}"
        if origin != self._origin and not (origin == encrypted and self._origin[2] is None):
            other = f"{request.url.scheme}://{request.url.netloc.decode()}"
            self.refused = f"{asked} redirects to another host, {other}, which is not followed"
        elif self.sent > MOST_REDIRECTS:
            self.refused = f"{asked} redirects by {self.status}, again and again"
        elif self.status not in SAME_REQUEST:
            self.refused = f"{asked} redirects by {self.status}, which would lose the request"
        return self.refused

    async def keep(self, stream: Any) -> AsyncIterator[bytes]:
        """Pass the body on and record it."""
        import httpx

        size = 0
        async for chunk in stream:
            size += len(chunk)
            if size > MOST_BYTES:
                raise httpx.RequestError(
                    f"an answer of more than {MOST_BYTES:,} bytes", request=self._request
                )
            self._chunks.append(chunk)
            yield chunk
        self.whole = True


_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


@contextmanager
def watched() -> Iterator[Exchange]:
    """Record what this task sends in the block in one Exchange."""
    exchange = Exchange()
    token = _current.set(exchange)
    try:
        yield exchange
    finally:
        _current.reset(token)


def watch(transport: httpx.AsyncBaseTransport) -> None:
    """Record in the current Exchange what this transport sends and receives."""
    import httpx

    send = transport.handle_async_request

    class Kept(httpx.AsyncByteStream):
        def __init__(self, exchange: Exchange, stream: Any) -> None:
            self._exchange, self._stream = exchange, stream

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self._exchange.keep(self._stream)

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def handle_async_request(request: httpx.Request) -> httpx.Response:
        exchange = _current.get()
        if exchange is None:
            return await send(request)
        exchange.admit(request)
        response = await send(request)
        exchange.status, exchange.headers = response.status_code, response.headers
        response.stream = Kept(exchange, response.stream)
        return response

    transport.handle_async_request = handle_async_request  # type: ignore[method-assign]

"""The server itself: one coroutine a connection, so that hundreds of slow requests cost next to nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.utils import formatdate

from llm_server.answers import Reply, chat, embeddings
from llm_server.settings import Fault, Settings
from llm_server.tally import Tally
from llm_server.wire import Request, as_json, error, read_request, response

ANSWERS: dict[str, Callable[..., Reply]] = {
    "/v1/chat/completions": chat,
    "/v1/embeddings": embeddings,
}
MODELS = {"object": "list", "data": [{"id": "test", "object": "model", "created": 1, "owned_by": "tests"}]}


class Server:
    """Answers as `settings` say and notes what it does in `tally`.

    Generation goes on when the client is gone, and is billed, as with real providers: what a killed
    client had in flight has been paid for.
    """

    def __init__(self, settings: Settings, tally: Tally) -> None:
        self._settings = settings
        self._tally = tally
        self._random = random.Random(settings.seed)
        self._hits: dict[Fault, int] = {}
        self._count = 0
        self._second, self._in_second = 0.0, 0
        self._generated: dict[str, tuple[bytes, asyncio.Task[Reply]]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests until it ends."""
        with suppress(ConnectionError, asyncio.CancelledError):  # the latter when the server stops
            while (request := await read_request(reader)) is not None and not writer.is_closing():
                await self._answer(request, reader, writer)
        writer.close()

    async def _answer(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if request.path not in ANSWERS:
            writer.write(self._control(request))
            await writer.drain()
            return
        n = self._received(request)
        refusal = self._refusal(request)
        fault = None if refusal else self._draw(request)
        facts = {"n": n, "fault": fault.kind if fault else None}
        try:
            said = refusal or await self._say(n, request, fault, reader, writer)
            writer.write(said)
            await writer.drain()
        except ConnectionError:
            self._tally.note("gone", at=time.time(), **facts)
            raise
        self._tally.note("answered", at=time.time(), status=int(said[9:12]), **facts)

    async def _say(
        self,
        n: int,
        request: Request,
        fault: Fault | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bytes:
        """A response; ConnectionError where the fault is to give none."""
        if fault is not None and fault.kind in WITHOUT_ANSWER:
            await self._wait()
            return await WITHOUT_ANSWER[fault.kind](fault, reader, writer)
        reply = await self._generate(n, request, fault)
        if reply is None:
            said = "Keys for idempotent requests can only be used with the same body."
            return response(400, error(said, "idempotency_error"))
        whole = response(200, as_json(reply.value))
        if fault is not None and fault.kind == "body":
            return response(fault.status, fault.text.encode())
        if fault is not None and fault.kind in SPOILED:
            return await SPOILED[fault.kind](whole, writer)
        return whole

    def _received(self, request: Request) -> int:
        self._count += 1
        model = json.loads(request.body)["model"]
        facts = {"path": request.path, "body": hashlib.sha256(request.body).hexdigest(), "model": model}
        if self._settings.bodies:
            facts["text"] = request.body.decode()
        key = request.headers.get("idempotency-key")
        self._tally.note("received", n=self._count, at=time.time(), key=key, **facts)
        return self._count

    def _refusal(self, request: Request) -> bytes | None:
        """What is said to a wrong key, and to one request too many."""
        settings = self._settings
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        if settings.api_key is not None and key != settings.api_key:
            said = error(f"Incorrect API key provided: {key}.", "invalid_request_error", "invalid_api_key")
            return response(401, said)
        if settings.requests_per_second is None:
            return None
        now = time.time()
        if now >= self._second + 1:
            self._second, self._in_second = now, 0
        self._in_second += 1
        if self._in_second <= settings.requests_per_second:
            return None
        return response(429, error("Rate limit reached.", "requests", "rate_limit_exceeded"), self._later())

    def _later(self) -> dict[str, str]:
        seconds = self._settings.retry_after_seconds
        as_date = formatdate(time.time() + seconds + 1, usegmt=True)  # dates have no fractions: round up
        return {
            "seconds": {"retry-after": str(seconds)},
            "date": {"retry-after": as_date},
            "absent": {},
        }[self._settings.retry_after]

    def _draw(self, request: Request) -> Fault | None:
        """The first fault that hits this request."""
        for fault in self._settings.faults:
            hit = self._random.random() < fault.rate
            if fault.matching is not None:
                hit = hit and fault.matching.encode() in request.body
            if hit and self._hits.get(fault, 0) != fault.first:
                self._hits[fault] = self._hits.get(fault, 0) + 1
                return fault
        return None

    async def _wait(self) -> None:
        jitter = self._settings.jitter
        await asyncio.sleep(max(0.0, self._settings.latency + self._random.uniform(-jitter, jitter)))

    async def _generate(self, n: int, request: Request, fault: Fault | None) -> Reply | None:
        """A new answer, or that of an earlier request with the same Idempotency-Key, even unfinished.

        None when the earlier request was another one: providers that honour such keys refuse that.
        """
        key = request.headers.get("idempotency-key")
        if key is None or not self._settings.honours_idempotency_key:
            return await self._bill(n, request, fault)
        if key not in self._generated:
            self._generated[key] = request.body, asyncio.create_task(self._bill(n, request, fault))
        body, generating = self._generated[key]
        return await asyncio.shield(generating) if body == request.body else None

    async def _bill(self, n: int, request: Request, fault: Fault | None) -> Reply:
        await self._wait()
        reply = ANSWERS[request.path](json.loads(request.body), self._settings, fault)
        self._tally.note(
            "billed",
            n=n,
            at=time.time(),
            body=hashlib.sha256(request.body).hexdigest(),
            key=request.headers.get("idempotency-key"),
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
        )
        return reply

    def _control(self, request: Request) -> bytes:
        """Other addresses: the models, and POST /control/settings, which changes settings at once."""
        if request.path == "/v1/models":
            return response(200, as_json(MODELS))
        if request.path == "/control/settings":
            self._settings = self._settings.changed(json.loads(request.body))
            return response(200, b"{}")
        return response(404, error(f"Invalid URL ({request.method} {request.path})", "invalid_request_error"))


async def _status(fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    later = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
    return response(fault.status, error("The server had an error.", "server_error"), later)


async def _stall(fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    await reader.read(1)  # nothing more comes from a waiting client but its end
    raise ConnectionResetError


async def _cut(fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.transport.abort()
    raise ConnectionResetError


async def _filter(fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    said = "The response was filtered due to the prompt triggering the content management policy."
    return response(400, error(said, "invalid_request_error", "content_filter"))


async def _cut_body(whole: bytes, writer: asyncio.StreamWriter) -> bytes:
    writer.write(whole[: -len(whole) // 3])
    await writer.drain()
    writer.close()
    raise ConnectionResetError


async def _malform(whole: bytes, writer: asyncio.StreamWriter) -> bytes:
    # The same length, so that only the JSON is wrong: its last third is blank.
    kept = len(whole) * 2 // 3
    return whole[:kept] + b" " * (len(whole) - kept)


async def _redirect(fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    return response(fault.status, b"", {"location": fault.text})


# Before or instead of an answer: nothing is generated, so nothing is billed.
WITHOUT_ANSWER: dict[str, Callable[..., Awaitable[bytes]]] = {
    "status": _status,
    "stall": _stall,
    "cut": _cut,
    "content_filter_error": _filter,
    "redirect": _redirect,
}
# The answer is generated and billed, and does not arrive whole.
SPOILED: dict[str, Callable[..., Awaitable[bytes]]] = {"cut_body": _cut_body, "malformed": _malform}

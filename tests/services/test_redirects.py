"""A service that sends requests on: within its host they follow, another host gets nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from questionnaire import KEY, PRICE, answer_all, answered

from grasp_bench.core.errors import ServiceError
from grasp_bench.spec.service import Service

ANSWER = {
    "id": "1", "object": "chat.completion", "created": 1, "model": "test",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}  # fmt: skip


@dataclass
class Host:
    """A server that redirects or answers; `received` are path, headers and body as text."""

    address: str = ""
    redirect: Callable[[str], str | None] = lambda path: None
    status: int = 307
    received: list[str] = field(default_factory=list)


@contextmanager
def serving(host: Host) -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            host.received.append(f"{self.path}\n{self.headers}\n{body}")
            target = host.redirect(self.path)
            content = b"" if target else json.dumps(ANSWER).encode()
            self.send_response(host.status if target else 200)
            if target:
                self.send_header("Location", target)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def service(host: Host, model: str = "openai/test") -> Service:
    base = f"{host.address}/v1" if model.startswith("openai") else host.address
    return Service(
        model=model, api_base=base, concurrency=1, timeout_seconds=5.0, price=PRICE, max_attempts=3
    )


@pytest.mark.parametrize("model", ["openai/test", "anthropic/test"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_host_gets_nothing(tmp_path: Path, status: int, model: str) -> None:
    with serving(Host()) as other, serving(Host(status=status)) as asked:
        asked.redirect = lambda path: f"{other.address}{path}"
        environment = {"ANTHROPIC_API_KEY": KEY}
        with pytest.raises(ServiceError) as caught:
            answer_all(tmp_path / "ledger.sqlite", service(asked, model), 2, environment)
        assert other.received == []
        assert len(asked.received) == 1  # nobody tries again what will not change
    said = f"{caught.value.message} {caught.value.hint}"
    assert asked.address in said
    assert other.address in said
    assert "api_base" in str(caught.value.hint)
    assert KEY not in said


def test_the_same_machine_by_another_name_is_another_host(tmp_path: Path) -> None:
    with serving(Host()) as asked:
        asked.redirect = lambda path: asked.address.replace("127.0.0.1", "localhost") + path
        with pytest.raises(ServiceError, match="localhost"):
            answer_all(tmp_path / "ledger.sqlite", service(asked), 1)
        assert len(asked.received) == 1


@pytest.mark.parametrize("absolute", [False, True])
def test_the_same_host_is_followed(tmp_path: Path, absolute: bool) -> None:
    with serving(Host(status=308)) as asked:
        base = asked.address if absolute else ""
        asked.redirect = lambda path: None if path.startswith("/new") else f"{base}/new{path}"
        ledger = tmp_path / "ledger.sqlite"
        answer_all(ledger, service(asked), 2)
        assert len(answered(ledger, service(asked), 2)) == 2
        assert [text.partition("/chat")[0] for text in asked.received] == ["/v1", "/new/v1"] * 2
        assert all("question" in text for text in asked.received)


def test_redirects_in_a_circle_end(tmp_path: Path) -> None:
    with serving(Host()) as asked:
        asked.redirect = lambda path: path
        with pytest.raises(ServiceError, match="307"):
            answer_all(tmp_path / "ledger.sqlite", service(asked), 1)
        assert len(asked.received) == 6  # the request and five redirects, and no second attempt


def test_other_requests_of_the_process_go_where_they_are_sent(tmp_path: Path) -> None:
    import httpx

    with serving(Host()) as other, serving(Host(status=302)) as asked:
        answer_all(tmp_path / "ledger.sqlite", service(other), 1)
        asked.redirect = lambda path: f"{other.address}{path}"
        assert httpx.get(f"{asked.address}/file", follow_redirects=True, trust_env=False).status_code == 200

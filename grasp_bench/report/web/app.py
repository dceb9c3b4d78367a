"""Addresses, headers and refusals of the pages. Nothing is written, and only GET is answered."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grasp_bench.core.errors import GraspBenchError, MissingFileError, UnknownNameError
from grasp_bench.report.page import render
from grasp_bench.report.page.blocks import Page
from grasp_bench.report.web.boards import MOST_KEPT, Boards
from grasp_bench.report.web.pages import Form, board_page, list_page
from grasp_bench.report.web.view import View

FILES = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "web.css": "text/css",
    "web.js": "text/javascript",
}
HEADERS = {
    # Nothing is loaded from elsewhere, no other page may hold this one in a frame, and no text is a script.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def make_app(results: Path, hosts: Sequence[str]) -> Starlette:
    """The application over a folder of results.

    A request must name one of `hosts`: a page of another site whose name leads to this machine (DNS
    rebinding) gets nothing.
    """
    boards = Boards(results)
    drawn = lru_cache(MOST_KEPT)(lambda name, view, key: _html(*board_page(boards, name, view), view))

    def studies(request: Request) -> Response:
        view = View.of(request.query_params)
        return HTMLResponse(_html(*list_page(boards, view), view))

    def study(request: Request) -> Response:
        view, name = View.of(request.query_params), request.path_params["name"]
        return HTMLResponse(drawn(name, view, boards.key(name)))

    def file(request: Request) -> Response:
        name = request.url.path.removeprefix("/")
        return Response(_source(name), media_type=FILES[name])

    return Starlette(
        routes=[
            Route("/", studies),
            Route("/studies/{name}", study),
            *(Route(f"/{name}", file) for name in FILES),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
            Middleware(Headers),
        ],
        exception_handlers={GraspBenchError: _refused, OSError: _unreadable},
    )


class Headers:
    """Adds the headers of every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, with_headers)


def _html(page: Page, form: Form | None = None, view: View | None = None) -> str:
    return _environment().get_template("web.html.j2").render(page=page, form=form, view=view)


def _refused(request: Request, error: Any) -> Response:
    """What is wrong and the mend, as on the command line."""
    status = 404 if isinstance(error, UnknownNameError | MissingFileError) else 422
    return _failure(error.message, error.hint or "", status)


def _unreadable(request: Request, error: Any) -> Response:
    return _failure(str(error), "", 500)


def _failure(message: str, hint: str, status: int) -> Response:
    return HTMLResponse(_html(Page(message, hint)), status_code=status)


def _source(name: str) -> str | None:
    """A file of these pages, or of the report page, whose style and blocks they have."""
    own = resources.files("grasp_bench.report.web") / render.FOLDER / name
    return own.read_text(encoding="utf-8") if own.is_file() else render.source(name)


@cache
def _environment() -> Environment:
    return render.environment().overlay(loader=FunctionLoader(_source))

"""Send one GET request over HTTP or HTTPS, for a whole file or the rest of one."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPResponse
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import SplitResult, urlsplit

from grasp_bench import __version__
from grasp_bench.core.errors import DownloadError

TIMEOUT = 30.0  # seconds without a byte
RANGE_NOT_SATISFIABLE = 416
PORTS = {"http": 80, "https": 443}
# Status codes worth another attempt: time-outs, too many requests, faults of the server.
TRANSIENT = frozenset({408, 425, 429, *range(500, 600)})
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


@dataclass(frozen=True)
class Response:
    """What a server says of a file.

    `begins`: offset of the first byte sent; None if the file ends before the requested offset. `total`: the
    length of the whole file, if known. `validator`: the ETag or date that identifies this version.
    """

    begins: int | None
    total: int | None
    validator: str | None


@contextmanager
def open_url(url: str, offset: int, validator: str | None) -> Iterator[tuple[Response, IO[bytes]]]:
    """Request a file from `offset` on if it is still the version `validator`, else the whole file.

    Raises DownloadError for refusals and invalid addresses; OSError and HTTPException for errors that another
    attempt may overcome.
    """
    headers = {"User-Agent": f"grasp-bench/{__version__}", "Accept-Encoding": "identity"}
    if offset and validator:
        headers |= {"Range": f"bytes={offset}-", "If-Range": validator}
    try:
        request = urllib.request.Request(url, headers=headers)
        if request.type not in ("http", "https"):
            raise ValueError("neither HTTP nor HTTPS")
        response = _opener().open(request, timeout=TIMEOUT)
    except HTTPError as error:
        if error.code == RANGE_NOT_SATISFIABLE:
            with closing(error):
                yield Response(None, _range(error.headers)[1], None), error
            return
        error.close()
        if error.code in TRANSIENT:
            raise
        raise DownloadError(
            f"{url}: the server answers {error.code} {error.reason}",
            hint="the file may have moved: give its new address with --url, or the file itself with --raw",
        ) from None
    except ValueError as error:  # not an address
        raise DownloadError(f"{url}: {error}", hint="an address begins with https:// or http://") from None
    with closing(response):
        yield _answer(response), response


def _answer(response: HTTPResponse) -> Response:
    validator = _validator(response.headers)
    if response.status != 206:
        return Response(0, _length(response.headers), validator)
    begins, total = _range(response.headers)
    # A part without a known offset fits nothing.
    return Response(-1 if begins is None else begins, total, validator)


def _range(headers: Message) -> tuple[int | None, int | None]:
    found = _CONTENT_RANGE.match(headers.get("Content-Range", ""))
    return (_whole(found[1]), _whole(found[2])) if found else (None, None)


def _length(headers: Message) -> int | None:
    # If the server compresses despite our header, the length is not that of the file.
    packed = headers.get("Content-Encoding", "identity") != "identity"
    return None if packed else _whole(headers.get("Content-Length"))


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _validator(headers: Message) -> str | None:
    """A strong ETag, else Last-Modified: what If-Range accepts."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified")


class SameHostRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects on the same host only, and never from HTTPS to HTTP.

    Another host may be another publisher, so the user has to name it.
    """

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        allowed = ("https:",) if req.type == "https" else ("https:", "http:")
        if not newurl.lower().startswith(allowed):
            raise DownloadError(
                f"{req.full_url}: is redirected to {newurl}, which is not followed",
                hint="give the address that is meant with --url, or the file itself with --raw",
            )
        asked, other = urlsplit(req.full_url), urlsplit(newurl)
        if _host(asked) != _host(other) and not _becomes_safe(asked, other):
            here, there = (parts.netloc.rpartition("@")[2] for parts in (asked, other))
            raise DownloadError(
                f"{req.full_url}: {here} redirects to another host, {there}, which is not followed",
                hint=f"if {there} is to be trusted, give the address there with --url: {newurl}; or give the "
                "file itself with --raw",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _host(address: SplitResult) -> tuple[str | None, int | None]:
    return address.hostname, address.port or PORTS.get(address.scheme)


def _becomes_safe(asked: SplitResult, other: SplitResult) -> bool:
    """True for the same host by HTTPS instead of HTTP, both on their default ports."""
    usual = (PORTS["http"], PORTS["https"])
    return asked.hostname == other.hostname and (_host(asked)[1], _host(other)[1]) == usual


def _opener() -> urllib.request.OpenerDirector:
    """An opener for HTTP, HTTPS and proxies of the environment; it reads no local files and no FTP."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler,
        SameHostRedirects, urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPErrorProcessor,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener

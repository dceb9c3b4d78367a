"""One GET request over HTTP or HTTPS: parts of files, redirections, and what the server says of the file."""

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
# Answers that another attempt may better: time-outs, too many requests, and the server's own faults.
PASSING = frozenset({408, 425, 429, *range(500, 600)})
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


@dataclass(frozen=True)
class Answer:
    """`begins`: offset of the first byte that comes, None when the file ends before the offset asked for.

    `total`: the whole file's length, as far as it is told. `validator`: what names this version of it.
    """

    begins: int | None
    total: int | None
    validator: str | None


@contextmanager
def open_url(url: str, offset: int, validator: str | None) -> Iterator[tuple[Answer, IO[bytes]]]:
    """Ask for a file from `offset` on, if it is still the version that `validator` names; else for all of it.

    Raises DownloadError for refusals and addresses that are none; OSError and HTTPException for what
    another attempt may better.
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
                yield Answer(None, _range(error.headers)[1], None), error
            return
        error.close()
        if error.code in PASSING:
            raise
        raise DownloadError(
            f"{url}: the server answers {error.code} {error.reason}",
            mend="the file may have moved: give its new address with --url, or the file itself with --raw",
        ) from None
    except ValueError as error:  # no address at all
        raise DownloadError(f"{url}: {error}", mend="an address begins with https:// or http://") from None
    with closing(response):
        yield _answer(response), response


def _answer(response: HTTPResponse) -> Answer:
    validator = _validator(response.headers)
    if response.status != 206:
        return Answer(0, _length(response.headers), validator)
    begins, total = _range(response.headers)
    # A part of nobody knows what fits nothing.
    return Answer(-1 if begins is None else begins, total, validator)


def _range(headers: Message) -> tuple[int | None, int | None]:
    found = _CONTENT_RANGE.match(headers.get("Content-Range", ""))
    return (_whole(found[1]), _whole(found[2])) if found else (None, None)


def _length(headers: Message) -> int | None:
    # A server that packs the answer in spite of our asking tells another length than the file's.
    packed = headers.get("Content-Encoding", "identity") != "identity"
    return None if packed else _whole(headers.get("Content-Length"))


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _validator(headers: Message) -> str | None:
    """A strong ETag, else the time of the last change: what If-Range accepts."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified")


class Redirections(urllib.request.HTTPRedirectHandler):
    """Follows on the host that was asked, and never from HTTPS to HTTP.

    Another host is another publisher as far as anybody knows: who trusts it names it.
    """

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        allowed = ("https:",) if req.type == "https" else ("https:", "http:")
        if not newurl.lower().startswith(allowed):
            raise DownloadError(
                f"{req.full_url}: is redirected to {newurl}, which is not followed",
                mend="give the address that is meant with --url, or the file itself with --raw",
            )
        asked, other = urlsplit(req.full_url), urlsplit(newurl)
        if _host(asked) != _host(other) and not _becomes_safe(asked, other):
            here, there = (parts.netloc.rpartition("@")[2] for parts in (asked, other))
            raise DownloadError(
                f"{req.full_url}: {here} redirects to another host, {there}, which is not followed",
                mend=f"if {there} is to be trusted, give the address there with --url: {newurl}; or give the "
                "file itself with --raw",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _host(address: SplitResult) -> tuple[str | None, int | None]:
    return address.hostname, address.port or PORTS.get(address.scheme)


def _becomes_safe(asked: SplitResult, other: SplitResult) -> bool:
    """The same name, by HTTPS instead of HTTP, both on their usual ports."""
    usual = (PORTS["http"], PORTS["https"])
    return asked.hostname == other.hostname and (_host(asked)[1], _host(other)[1]) == usual


def _opener() -> urllib.request.OpenerDirector:
    """HTTP, HTTPS and proxies from the environment; nothing that reads local files or FTP."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler, Redirections,
        urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPErrorProcessor,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener

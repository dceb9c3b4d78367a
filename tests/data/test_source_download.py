"""Fetching from a real server on loopback: whole, cut, changed, refused, damaged."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest
from raw_server import Manners, serving

from grasp_bench.core.errors import DownloadError, StoreError
from grasp_bench.core.progress import Event
from grasp_bench.data.sources import download
from grasp_bench.data.sources.download import fetch
from grasp_bench.data.sources.http import SameHostRedirects

CONTENT = bytes(range(256)) * 8000  # 2 MB
DIGEST = hashlib.sha256(CONTENT).hexdigest()
AT_ONCE = (0.0, 0.0, 0.0)


@pytest.fixture
def manners() -> Manners:
    return Manners(files={"/a.bin": CONTENT})


@pytest.fixture
def address(manners: Manners) -> Iterator[str]:
    with serving(manners) as url:
        yield url + "a.bin"


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_with_progress(address: str, tmp_path: Path) -> None:
    events: list[Event] = []
    assert fetch(address, tmp_path / "a.bin", DIGEST, events.append) == DIGEST
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert only(tmp_path) == ["a.bin"]
    assert (events[-1].done, events[-1].total) == (len(CONTENT), len(CONTENT))


def test_a_cut_connection_goes_on_where_it_broke(address: str, manners: Manners, tmp_path: Path) -> None:
    manners.cut_after = [700_000, 300_000]
    assert fetch(address, tmp_path / "a.bin", DIGEST, pauses=AT_ONCE) == DIGEST
    assert [asked for _, asked in manners.requests] == ["", "bytes=700000-", "bytes=1000000-"]


def test_another_process_goes_on_as_well(address: str, manners: Manners, tmp_path: Path) -> None:
    manners.cut_after = [700_000]
    with pytest.raises(DownloadError, match=r"700,000 of 2,048,000 bytes.*700,000 bytes are here"):
        fetch(address, tmp_path / "a.bin", pauses=())
    assert only(tmp_path) == ["a.bin.part", "a.bin.part.json"]
    fetch(address, tmp_path / "a.bin", DIGEST, pauses=())
    assert manners.requests[-1][1] == "bytes=700000-"
    assert only(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("lack", ["ranges", "etag"])
def test_without_ranges_or_a_validator_it_begins_anew(
    lack: str, address: str, manners: Manners, tmp_path: Path
) -> None:
    setattr(manners, lack, False)
    manners.cut_after = [700_000]
    assert fetch(address, tmp_path / "a.bin", DIGEST, pauses=AT_ONCE) == DIGEST
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert (manners.requests[1][1] == "") == (lack == "etag")


def test_a_file_that_changed_in_between_is_not_glued_together(
    address: str, manners: Manners, tmp_path: Path
) -> None:
    manners.cut_after = [700_000]
    with pytest.raises(DownloadError):
        fetch(address, tmp_path / "a.bin", pauses=())
    manners.files["/a.bin"] = CONTENT[::-1]
    fetch(address, tmp_path / "a.bin", pauses=())
    assert (tmp_path / "a.bin").read_bytes() == CONTENT[::-1]


def test_a_file_that_became_shorter_than_what_is_here(address: str, manners: Manners, tmp_path: Path) -> None:
    manners.cut_after = [700_000]
    with pytest.raises(DownloadError):
        fetch(address, tmp_path / "a.bin", pauses=())
    manners.files["/a.bin"] = CONTENT[:1000]
    fetch(address, tmp_path / "a.bin", pauses=AT_ONCE)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT[:1000]


def test_a_part_that_is_whole_is_not_fetched_again(address: str, manners: Manners, tmp_path: Path) -> None:
    manners.cut_after = [len(CONTENT) - 1]
    with pytest.raises(DownloadError):
        fetch(address, tmp_path / "a.bin", pauses=())
    with (tmp_path / "a.bin.part").open("ab") as part:  # the crash came between the last byte and the name
        part.write(CONTENT[-1:])
    assert fetch(address, tmp_path / "a.bin", pauses=()) == DIGEST


def test_a_wrong_checksum_leaves_nothing(address: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"{DIGEST}, not the expected {'0' * 64}"):
        fetch(address, tmp_path / "a.bin", "0" * 64)
    assert only(tmp_path) == []


def test_what_is_not_there_is_not_tried_twice(address: str, manners: Manners, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="404") as caught:
        fetch(address + "x", tmp_path / "a.bin")
    assert "--url" in str(caught.value.hint)
    assert len(manners.requests) == 1


def test_a_server_in_trouble_is_tried_again(address: str, manners: Manners, tmp_path: Path) -> None:
    manners.statuses = [503, 429]
    assert fetch(address, tmp_path / "a.bin", pauses=AT_ONCE) == DIGEST
    manners.statuses = [500] * 9
    with pytest.raises(DownloadError, match="500"):
        fetch(address, tmp_path / "b.bin", pauses=AT_ONCE)


def test_redirections_stay_with_http(address: str, manners: Manners, tmp_path: Path) -> None:
    manners.moved = {"/old.bin": "/a.bin", "/file.bin": "file:///etc/hostname"}
    base = address.removesuffix("a.bin")
    assert fetch(base + "old.bin", tmp_path / "a.bin") == DIGEST
    with pytest.raises(DownloadError):
        fetch(base + "file.bin", tmp_path / "b.bin", pauses=())
    with pytest.raises(DownloadError):
        fetch("file:///etc/hostname", tmp_path / "c.bin", pauses=())
    assert only(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_another_host_is_not_followed(address: str, manners: Manners, tmp_path: Path, name: str) -> None:
    """Neither another machine nor another port of the same one; both hosts are named, and the way out."""
    other = Manners(files={"/a.bin": b"anything"})
    with serving(other) as elsewhere:
        target = elsewhere.replace("127.0.0.1", name) + "a.bin"
        manners.moved = {"/old.bin": target}
        with pytest.raises(DownloadError) as caught:
            fetch(address.replace("a.bin", "old.bin"), tmp_path / "a.bin", pauses=AT_ONCE)
    hosts = [part.split("/")[2] for part in (address, target)]
    assert all(host in caught.value.message for host in hosts)
    assert f"--url: {target}" in str(caught.value.hint)
    assert other.requests == []
    assert only(tmp_path) == []


@pytest.mark.parametrize(
    ("asked", "other", "follows"),
    [
        ("http://a.org/x", "https://a.org/x", True),
        ("http://a.org:80/x", "https://a.org:443/y", True),
        ("https://a.org/x", "https://a.org:443/y", True),
        ("https://a.org/x", "https://A.org/y", True),
        ("http://a.org/x", "https://a.org:8443/x", False),
        ("https://a.org/x", "https://cdn.a.org/x", False),
        ("https://a.org/x", "https://a.org@b.org/x", False),
        ("https://a.org/x", "http://a.org/x", False),
    ],
)
def test_which_redirects_stay_with_the_host(asked: str, other: str, follows: bool) -> None:
    handler, request = SameHostRedirects(), urllib.request.Request(asked)
    arguments = (request, io.BytesIO(), 302, "Found", Message(), other)
    if follows:
        found = handler.redirect_request(*arguments)
        assert found is not None
        assert found.full_url == other
    else:
        with pytest.raises(DownloadError, match="not followed"):
            handler.redirect_request(*arguments)


def test_nobody_answers(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match="cannot be reached") as caught:
        fetch(f"http://127.0.0.1:{port}/a", tmp_path / "a")
    assert "--raw" in str(caught.value.hint)


def test_without_a_length_the_format_tells_whether_all_came(manners: Manners, tmp_path: Path) -> None:
    packed = gzip.compress(os.urandom(100_000))
    manners.files["/b.json.gz"] = packed
    manners.length = False
    manners.cut_after = [50_000]
    with serving(manners) as url:
        fetch(url + "b.json.gz", tmp_path / "b.json.gz", pauses=AT_ONCE)
    assert (tmp_path / "b.json.gz").read_bytes() == packed
    assert len(manners.requests) == 2


def test_a_disk_that_is_too_small_is_said_before(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SPARE", 1 << 60)
    with pytest.raises(StoreError, match="MB needed for http"):
        fetch(address, tmp_path / "a.bin")


FILL_UP = """
import resource, sys
from pathlib import Path
from grasp_bench.core.errors import StoreError
from grasp_bench.data.sources.download import fetch
from grasp_bench.data.sources.http import SameHostRedirects
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    fetch(sys.argv[1], Path(sys.argv[2]))
except StoreError as error:
    print(error)
"""


def test_a_disk_that_fills_up_keeps_what_has_come(address: str, manners: Manners, tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", FILL_UP, address, str(tmp_path / "a.bin")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert "a.bin.part: cannot be written (File too large)" in done.stdout
    assert only(tmp_path) == ["a.bin.part", "a.bin.part.json"]
    assert fetch(address, tmp_path / "a.bin", DIGEST) == DIGEST
    assert manners.requests[-1][1].startswith("bytes=")

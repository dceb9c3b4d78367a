"""The boards in a browser, over real HTTP from a process of their own."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from calling import call
from results_builder import three_methods
from studies_written import EVIL
from web_server import Server, serving

CONTROL = "a\x1b[31mb"
BOARD = "full ranking by NDCG@10"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two studies: one as it should be, one whose names are markup and control characters."""
    root = tmp_path_factory.mktemp("web") / "results"
    three_methods(root / "toy_spec")
    hostile = three_methods(root / "hostile")
    names = {"softmax": CONTROL, None: None}
    for cell in hostile.folder.glob("*/cell.json"):
        told = json.loads(cell.read_text())
        cell.write_text(json.dumps(told | {"dataset": EVIL, "ablation": names[told["ablation"]]}))
    for identity in hostile.planned:
        identity |= {"dataset": EVIL, "ablation": names[identity["ablation"]]}
    hostile.study(description=EVIL)
    return root


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Server]:
    with serving(root) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.address, timeout=60, trust_env=False) as client:
        yield client


class Read(HTMLParser):
    """Tags with their attributes, the text, and rows of tables by caption."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.text = ""
        self._rows: list[list[str]] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        if tag in ("caption", "td", "th"):
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._inside == "caption":
            self.tables[data] = self._rows
        elif self._inside:
            self._rows[-1][-1] += data

    def links(self, holding: str) -> list[str]:
        """Addresses that hold a text, as they stand in the page."""
        found = [str(attrs["href"]) for tag, attrs in self.tags if tag == "a"]
        return [link for link in found if holding in link]

    def column(self, caption: str, head: str) -> dict[str, str]:
        """Texts of a column by method."""
        heads, *rows = self.tables[caption]
        name = heads.index("method")
        return {row[name].strip(" ≈\n"): row[heads.index(head)].strip() for row in rows}


def read(client: httpx.Client, path: str, **query: Any) -> Read:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return Read(answer.text)


def mean(root: Path, cells: str, group: str, metric: str) -> float:
    """By hand, from the files of the cells."""
    files = list((root / "toy_spec").glob(f"{cells}/metrics.json"))
    assert len(files) == 3
    return 100 * sum(json.loads(path.read_text())["full"][group][metric] for path in files) / 3


def test_studies_are_listed_with_what_is_finished(client: httpx.Client) -> None:
    page = read(client, "/")
    assert "9 of 9" in page.text
    assert page.links("/studies/") == ["/studies/hostile", "/studies/toy_spec"]
    assert read(client, "/", q="TOY spec", enhancer="grasp").links("/studies/") == ["/studies/toy_spec"]
    assert "No study fits" in read(client, "/", q="nothing").text


def test_a_board_has_the_figures_of_its_cells(client: httpx.Client, root: Path) -> None:
    told = read(client, "/studies/toy_spec").column(BOARD, "NDCG@10")
    assert sorted(told) == ["grasp", "grasp/softmax", "none"]
    for label, cells in (("grasp", "sasrec-grasp-s4*"), ("none", "sasrec-none-s*")):
        assert told[label].startswith(f"{mean(root, cells, 'overall', 'NDCG@10'):.2f} ±")


def test_a_board_has_the_marks_and_notes_of_the_command(client: httpx.Client, root: Path) -> None:
    page = read(client, "/studies/toy_spec")
    printed = call(root.parent, "leaderboard", "toy_spec", "--format", "html").stdout
    for caption in (BOARD, "sampled ranking by NDCG@10"):
        here, there = (
            [["".join(text.split()) for text in row] for row in each.tables[caption]]
            for each in (page, Read(printed))
        )
        assert here == there
    notes = re.findall(r'<p class="note">(.*?)</p>', printed)
    assert len(notes) > 3
    assert all(unescape(note) in page.text for note in notes)


def test_a_filter_hides_rows_and_leaves_places_as_they_are(client: httpx.Client) -> None:
    page = read(client, "/studies/toy_spec", enhancer="none", protocol="full")
    assert page.column(BOARD, "#") == {"none": "3"}
    assert "1 of 3 rows are shown" in page.text
    assert not any(caption.startswith("sampled") for caption in page.tables)
    only = read(client, "/studies/toy_spec", only="ticked", method=["grasp"])
    assert list(only.column(BOARD, "#")) == ["grasp"]


def test_a_group_ranks_by_its_own_means_and_shows_no_tier(client: httpx.Client, root: Path) -> None:
    page = read(client, "/studies/toy_spec", group="head_user", metric="HR@5")
    told = page.column("full ranking by HR@5 of head users", "HR@5")
    assert told["grasp"].startswith(f"{mean(root, 'sasrec-grasp-s4*', 'head_user', 'HR@5'):.2f} ±")
    assert "not tested: no ≈" in page.text


def test_two_ticked_methods_are_explained_as_compare_does(client: httpx.Client, root: Path) -> None:
    page = read(client, "/studies/toy_spec", method=["grasp", "none"], metric="HR@10")
    printed = call(root.parent, "compare", "grasp", "none", "--spec", "toy_spec", "--metric", "HR@10").stdout
    sentences = re.findall(r"^(?:grasp is above|Chance in|A new user|No user).*", printed, re.MULTILINE)
    assert len(sentences) == 4  # three of the full ranking, one of the sampled
    assert all(sentence in page.text for sentence in sentences)
    assert "supported: grasp is above none" in page.text  # the declared hypothesis, corrected
    assert page.links("method=none&method=grasp") == ["?metric=HR%4010&method=none&method=grasp"]
    three = read(client, "/studies/toy_spec", method=["grasp", "none", "grasp/softmax"])
    assert len(three.links("method=")) == 3


def test_what_is_not_there_is_refused_with_a_suggestion(client: httpx.Client) -> None:
    for path, words in (
        ("/studies/toy_spce", "did you mean 'toy_spec'"),
        ("/studies/toy_spec?metric=NDGC@10", "did you mean 'NDCG@10'"),
        ("/studies/toy_spec?enhancer=grap", "did you mean 'grasp'"),
    ):
        answer = client.get(path)
        assert answer.status_code == 404
        assert words in Read(answer.text).text
    assert "no method or cell 'gone'" in read(client, "/studies/toy_spec", method=["grasp", "gone"]).text


def test_names_are_text_and_never_markup(client: httpx.Client) -> None:
    for path in ("/", "/studies/hostile", f"/studies/{quote(EVIL.replace('/', ''))}", f"/?q={quote(EVIL)}"):
        answer = client.get(path)
        page = Read(answer.text)
        assert [attrs for tag, attrs in page.tags if tag == "script"] == [
            {"src": "/page.js"}, {"src": "/web.js"},
        ]  # fmt: skip
        assert not [tag for tag, attrs in page.tags if tag == "img" or any(key[:2] == "on" for key in attrs)]
        assert "<script>window.hit" in page.text or "q=" in path
        assert "\x1b" not in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_a_method_whose_name_holds_control_characters_can_be_ticked(client: httpx.Client) -> None:
    tags = read(client, "/studies/hostile").tags
    strange = next(attrs["value"] for _, attrs in tags if "x1b" in str(attrs.get("value")))
    page = read(client, "/studies/hostile", method=["grasp", strange], dataset=EVIL)
    assert re.search(r"grasp is (above|below|level with) grasp/a\\x1b\[31mb", page.text)


def raw(server: Server, request: str) -> bytes:
    """What a client that follows no rule gets."""
    where = urlsplit(server.address)
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/studies/..", "/studies/../../secret.txt", "/studies/..%2f..%2fsecret.txt",
     "/studies/%2e%2e", "/studies/.", "/studies/%2fetc", "/page.css/../../secret.txt", "/studies/secret.txt"],
)  # fmt: skip
def test_no_file_outside_the_results_is_read(server: Server, root: Path, path: str) -> None:
    for place in (root, root.parent):
        (place / "secret.txt").write_text("the secret")
    answer = raw(server, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 307"))
    assert b"the secret" not in answer


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("127.0.0.1:1", 200), ("[::1]:8321", 200), ("evil.example", 400),
     ("localhost.evil.example", 400), ("127.0.0.1.nip.example:80", 400), ("", 400), ("a b", 400)],
)  # fmt: skip
def test_only_names_of_this_machine_are_answered(server: Server, host: str, status: int) -> None:
    answer = raw(server, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    assert answer.split(b" ", 2)[1] == str(status).encode()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_but_reading_is_allowed(client: httpx.Client, method: str) -> None:
    for path in ("/", "/studies/toy_spec", "/page.css"):
        answer = client.request(method, path)
        assert answer.status_code == 405
        assert "access-control-allow-origin" not in answer.headers


def test_another_metric_changes_no_file_and_new_results_are_shown(tmp_path: Path) -> None:
    toy = three_methods(tmp_path / "results" / "toy_spec")
    with serving(toy.folder.parent) as running, httpx.Client(base_url=running.address, timeout=60) as client:
        assert BOARD in read(client, "/studies/toy_spec").tables
        before = {path: path.read_bytes() for path in toy.folder.rglob("*") if path.is_file()}
        assert "full ranking by HR@20" in read(client, "/studies/toy_spec", metric="HR@20").tables
        assert {path: path.read_bytes() for path in toy.folder.rglob("*") if path.is_file()} == before
        shutil.rmtree(toy.folder / "sasrec-grasp-s44")
        assert read(client, "/studies/toy_spec").column(BOARD, "seeds")["grasp"] == "2 of 3"
        (toy.folder / "sasrec-grasp-s43" / "metrics.json").write_text("{")
        damaged = client.get("/studies/toy_spec")
        assert damaged.status_code == 422
        assert "metrics.json" in damaged.text
        (toy.folder / "study.json").write_text("{")
        assert "study.json" in read(client, "/").text
        assert running.end() == (0, "")


def test_an_address_that_is_taken_is_told(root: Path, server: Server) -> None:
    port = urlsplit(server.address).port
    done = call(root.parent, "board", "--web", "--no-open", "--port", port)
    assert done.exit_code == 1
    assert f"cannot listen on 127.0.0.1, port {port}: Address already in use" in done.stderr
    assert "--port" in done.stderr


def test_without_results_or_the_library_the_mend_is_told(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = call(tmp_path, "board", "--web")
    assert (empty.exit_code, "no results here" in empty.stderr) == (3, True)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    without = call(root.parent, "board", "--web")
    assert without.exit_code == 4
    assert "pip install 'grasp-bench[web]'" in without.stderr


def test_without_web_it_is_the_leaderboard(root: Path) -> None:
    told = [call(root.parent, command, "toy_spec").stdout for command in ("board", "leaderboard")]
    assert told[0] == told[1] != ""


def test_a_spec_is_opened_at_its_board(root: Path) -> None:
    with serving(root, "toy_spec") as running:
        assert running.address.endswith("/studies/toy_spec")
        assert "full ranking" in httpx.get(running.address, timeout=60, trust_env=False).text


def test_an_address_for_others_is_announced_and_takes_any_name(root: Path) -> None:
    with serving(root, "--host", "0.0.0.0") as running:
        port = urlsplit(running.address).port
        headers = {"host": "another.example"}
        answer = httpx.get(f"http://127.0.0.1:{port}/", headers=headers, timeout=60, trust_env=False)
        assert answer.status_code == 200
        code, said = running.end()
    assert (code, "there is no password" in said) == (0, True)

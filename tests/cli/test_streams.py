"""Commands on hostile names, as bytes: on a terminal, in pipes of four encodings, with nobody to read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from on_terminal import on_terminal
from results_builder import three_methods

NAME = "soft\x1b]52;c;Zm9v\x07\x9b31m\u202e\n12:00:00 done [/bold] :bomb: 日本 <img>"
SHOWN = r"soft\x1b]52;c;Zm9v\x07\x9b31m\u202e\n12:00:00 done [/bold] :bomb: "
ENCODINGS = ["utf-8", "latin-1", "ascii", "cp1252"]
COLOURS = re.compile(rb"\x1b\[[0-9;]*m")
NEVER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of an ablation with a hostile name, and specs that are wrong in its words."""
    folder = tmp_path_factory.mktemp("streams")
    results = three_methods(folder / "results" / "toy")
    for cell in results.folder.glob("*softmax*/cell.json"):
        cell.write_text(json.dumps(json.loads(cell.read_text()) | {"ablation": NAME}))
    for identity in results.planned:
        identity["ablation"] = identity["ablation"] and NAME
    results.study()
    (folder / "wrong.yaml").write_text(json.dumps({"name": "x", "dataset": {"source": "demo"}, NAME: 1}))
    return folder


def run(
    place: Path, *arguments: str, shell: str = "", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "grasp_bench", *arguments]
    wide = {key: value for key, value in os.environ.items() if key != "COLUMNS"} | {"COLUMNS": "500"}
    return subprocess.run(
        ["bash", "-c", f'exec "$@" {shell}', "bash", *command],
        cwd=place, env=wide | environment, capture_output=True,
    )  # fmt: skip


BOARDS = [(["leaderboard", "toy"], 0), (["leaderboard", "toy", "--format", "csv"], 0)]
ERRORS = [
    (["validate", "wrong.yaml"], 2),
    (["compare", NAME, "none", "--spec", "toy"], 2),
    (["--no-such-option\x1b[2J"], 2),
]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_boards_and_errors_show_names_and_send_none(place: Path, encoding: str) -> None:
    for arguments, code in [*BOARDS, *ERRORS]:
        done = run(place, *arguments, PYTHONIOENCODING=encoding)
        text = (done.stdout + done.stderr).decode(encoding)
        assert done.returncode == code, text
        assert not NEVER.search(text)
        assert "Traceback" not in text
        assert "csv" in arguments or not re.search(r"^[│|┃ ]{0,3}12:00:00", text, re.MULTILINE)
        assert "\\x1b" in text or "U+001B" in text  # a spec names the character


def test_a_table_shows_a_name_on_one_line(place: Path) -> None:
    assert f"grasp/{SHOWN}".encode() in run(place, "leaderboard", "toy").stdout


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_on_stdout_keeps_the_name(place: Path, encoding: str) -> None:
    done = run(place, "leaderboard", "toy", "--format", "json", PYTHONIOENCODING=encoding)
    text = done.stdout.decode(encoding)
    assert not NEVER.search(text)
    assert f"grasp/{NAME}" in {row["label"] for row in json.loads(text)["rankings"][0]["rows"]}


def test_a_terminal_gets_colours_and_nothing_else(place: Path) -> None:
    command = [sys.executable, "-m", "grasp_bench", "leaderboard", "toy"]
    code, written = on_terminal(command, place, {**os.environ, "TERM": "xterm-256color"})
    assert code == 0, written
    assert COLOURS.search(written)
    assert not NEVER.search(COLOURS.sub(b"", written).decode().replace("\r\n", "\n"))


@pytest.mark.parametrize("shell", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_change_no_exit_code(place: Path, shell: str) -> None:
    for arguments, code in ((["leaderboard", "toy"], 0), (["--help"], 0), (["validate", "wrong.yaml"], 2)):
        done = run(place, *arguments, shell=shell)
        assert done.returncode == code
        assert b"Traceback" not in done.stderr
        assert b"Exception" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["spec", "schema"], ["--help"], ["run", "--help"], ["leaderboard", "toy"]]
)
def test_no_reader_and_no_room_are_told_by_the_exit_code(place: Path, arguments: list[str]) -> None:
    gone = run(place, *arguments, shell="> >(exit)")
    assert gone.returncode in (0, 141)  # 0: all was written before the reader went
    assert gone.stderr == b""
    full = run(place, *arguments, shell=">/dev/full")
    assert full.returncode == 5
    assert full.stderr == b"error: [Errno 28] No space left on device\n"


def test_a_message_of_several_lines_is_indented(place: Path) -> None:
    done = run(place, "compare", NAME, "none", "--spec", "toy")
    assert b"\n    12:00:00 done" in done.stderr

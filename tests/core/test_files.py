"""What a user names as a file is looked at before it is opened."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from grasp_bench.core.errors import MissingFileError
from grasp_bench.core.files import expanded, fault_of_name, kind_of, require_file
from grasp_bench.core.shown import unseen


def test_what_a_path_leads_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket may have 100 characters
    Path("file").write_text("x")
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    Path("link").symlink_to("file")
    Path("circle").symlink_to("circle")
    Path("lost").symlink_to("nothing")
    kinds = {
        "file": "a file", "link": "a file", ".": "a folder", "pipe": "a named pipe", "socket": "a socket",
        "/dev/zero": "a device", "lost": "nothing", "file/below": "nothing", "a\0b": "nothing",
    }  # fmt: skip
    assert {name: kind_of(Path(name)) for name in kinds} == kinds
    assert kind_of(Path("circle")).startswith("out of reach (")
    assert kind_of(Path("x" * 300)) == "out of reach (File name too long)"


@pytest.mark.skipif(not Path("/proc/self/pagemap").exists(), reason="has no /proc")
def test_files_that_the_kernel_makes_have_no_end() -> None:
    assert kind_of(Path("/proc/self/pagemap")) == "a file of the kernel"


def test_a_file_is_required_by_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MissingFileError, match="pipe: is a named pipe, not a file\n  hint: hint it"):
        require_file(tmp_path / "pipe", hint="hint it")
    with pytest.raises(MissingFileError, match="none: no such file"):
        require_file(tmp_path / "none", hint="hint it")


def test_a_home_that_nobody_has_is_a_name() -> None:
    assert expanded("~no_such_user_here/x") == Path("~no_such_user_here/x")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("a\0b", "holds the character U+0000"),
        ("a\nb", "holds the character U+000A"),
        ("a\u202eb", "holds the character U+202E"),
        ("a\u200bb", "holds the character U+200B"),
        ("\udcff", "holds the character U+DCFF"),
        ("x" * 5000, "has 5,000 characters"),
    ],
)
def test_names_that_no_file_has(name: str, fault: str) -> None:
    assert (fault_of_name(name) or "").startswith(fault)


@pytest.mark.parametrize("name", ["data/Größe 漢字.csv", "a b|c`.csv", "${X}/y", "~/x", "📚.csv"])
def test_names_that_files_have(name: str) -> None:
    assert fault_of_name(name) is None


def test_what_commands_a_terminal_is_found() -> None:
    assert unseen("a\x1b[31mred") == "U+001B"
    assert unseen("red") is None

"""What a user names as a file is looked at before it is opened."""

from __future__ import annotations

import os
import socket
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.core.errors import MissingFileError
from grasp_bench.core.files import expanded, fault_of_name, kind_of, portable_name, require_file
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


def test_names_of_files_are_readable() -> None:
    names = {
        "my shop (sample of 2000 users)": "my_shop_sample_of_2000_users",
        "sasrec+grasp/no similar": "sasrec_grasp_no_similar",
        "../x": "x", "100 %": "100", "\u00fc": "_", "": "_", "amazon-beauty": "amazon_beauty",
    }  # fmt: skip
    assert {text: portable_name(text) for text in names} == names
    assert portable_name("sasrec+grasp/no-similar", also="+-") == "sasrec+grasp_no-similar"


@given(st.text(), st.sampled_from(["", "-", "+-"]))
def test_names_of_files_hold_the_characters_that_every_system_takes(text: str, also: str) -> None:
    name = portable_name(text, also)
    assert 0 < len(name) <= 60
    assert set(name) <= {*string.ascii_letters, *string.digits, *"._", *also}
    assert not name.startswith((".", "-", "+"))

"""Streams as the process leaves them: what arrives in each encoding, and what is done when nobody reads."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from grasp_bench.core.outlets import READER_GONE, Outlet, json_for, styled

SETUP = "import sys\nfrom grasp_bench.core.outlets import *\nguard_streams()\n"


def python(code: str, shell: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run code behind guarded streams, with what a shell does to them."""
    command = ["bash", "-c", f'exec "$@" {shell}', "bash", sys.executable, "-c", SETUP + code]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize(
    ("encoding", "arrives"),
    [
        ("utf-8", "\\x1b[31m ≈ – é 日".encode()),
        ("latin-1", "\\x1b[31m = - é \\u65e5".encode("latin-1")),
        ("cp1252", "\\x1b[31m = – é \\u65e5".encode("cp1252")),
        ("ascii", b"\\x1b[31m = - \\xe9 \\u65e5"),
        ("ascii:strict", b"\\x1b[31m = - \\xe9 \\u65e5"),
    ],
)
def test_glyphs_that_an_encoding_lacks_are_replaced(stream: str, encoding: str, arrives: bytes) -> None:
    done = python(rf"sys.{stream}.write('\x1b[31m ≈ – é 日')", PYTHONIOENCODING=encoding)
    assert (done.stdout or done.stderr, done.returncode) == (arrives, 0)


def test_a_byte_of_a_path_is_no_control_character_of_a_terminal() -> None:
    done = python(r"print('\udc9b31m')", PYTHONIOENCODING="utf-8:surrogateescape")
    assert done.stdout == b"\\udc9b31m\n"


def test_tracebacks_and_whoever_prints_pass_the_outlet() -> None:
    done = python(
        r"import warnings; warnings.warn('\x1b[1m'); print('\x07'); raise ValueError('\x1b]0;x\x07')"
    )
    assert done.returncode == 1
    assert b"\\x1b[1m" in done.stderr
    assert b"ValueError: \\x1b]0;x\\x07" in done.stderr
    assert done.stdout == b"\\x07\n"
    assert b"\x1b" not in done.stderr


def test_there_is_no_way_round_by_bytes() -> None:
    assert not hasattr(Outlet(io.TextIOWrapper(io.BytesIO())), "buffer")


def test_what_carries_sequences_of_our_own_goes_below() -> None:
    below = io.StringIO()
    outlet = Outlet(below)
    styled(outlet).write("\x1b[1m")
    outlet.write("\x1b[1m")
    assert below.getvalue() == "\x1b[1m\\x1b[1m"
    assert styled(below) is below


@pytest.mark.parametrize("shell", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_take_text_and_keep_their_numbers(shell: str, tmp_path) -> None:
    code = f"""
print('out'); sys.stdout.flush(); print('err', file=sys.stderr); sys.stdout.isatty()
file = open({str(tmp_path / "data")!r}, 'w')
import subprocess
subprocess.run([sys.executable, '-c', "import os; os.write(1, b'x'); os.write(2, b'y')"], check=True)
sys.exit(0 if file.fileno() > 2 else 9)
"""
    done = python(code, shell)
    assert (done.returncode, done.stdout.strip() in (b"", b"out\nx"), b"rror" in done.stderr) == (
        0,
        True,
        False,
    )
    assert (tmp_path / "data").read_bytes() == b""


def test_a_reader_that_has_gone_ends_the_process_without_words() -> None:
    done = python("for _ in range(100_000): print('line')", "> >(head -1 >/dev/null)")
    assert (done.returncode, done.stderr) == (READER_GONE, b"")


def test_work_goes_on_when_nobody_reads_remarks() -> None:
    for shell in ("2>/dev/full", "2> >(exit)"):
        done = python("for _ in range(9): print('remark', file=sys.stderr, flush=True)\nprint('done')", shell)
        assert (done.returncode, done.stdout) == (0, b"done\n")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii", "cp1252"])
def test_json_arrives_with_its_values(encoding: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    value = {"é≈🎸\x1b": ["\x9b\u202e\udc9b\n", 0.5]}
    stream.write(json_for(stream, value))
    stream.flush()
    arrived = stream.buffer.getvalue().decode(encoding)
    assert json.loads(arrived) == value
    assert not set(arrived) & set("\x1b\x9b\u202e\n")

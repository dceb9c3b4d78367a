"""How a command's end becomes an exit code and a message."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from grasp_bench.cli import app
from grasp_bench.core import errors


def call(monkeypatch: pytest.MonkeyPatch, function: object, *options: str) -> int:
    """Run a function as the command `probe`; return the exit code."""
    module = ModuleType("probe_command")
    module.probe = function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "probe_command", module)
    monkeypatch.setitem(app.COMMANDS, "probe", ("probe_command:probe", "For this test."))
    monkeypatch.setattr(sys, "argv", ["grasp-bench", *options, "probe"])
    with pytest.raises(SystemExit) as caught:
        app.main()
    return int(caught.value.code or 0)


def raising(error: BaseException) -> object:
    def probe() -> None:
        raise error

    return probe


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.DataError("bad", hint="fix it"), 3),
        (errors.SpecError(["a:1:1 b: c"]), 2),
        (errors.MissingExtraError("ray", "ray"), 4),
        (errors.StoreError("broken"), 5),
        (errors.RunFailedError("2 of 7 failed"), 6),
        (PermissionError(13, "Permission denied", "/x"), 5),
    ],
)
def test_errors_have_codes_and_no_traceback(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, raising(error)) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert err


def test_the_mend_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    call(monkeypatch, raising(errors.MissingExtraError("ray", "ray")))
    assert (
        capsys.readouterr().err == "error: 'ray' is not installed\n  hint: pip install 'grasp-bench[ray]'\n"
    )


def test_an_interrupt_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "interrupted; the same command resumes\n"


def test_a_bug_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        call(monkeypatch, raising(ZeroDivisionError()))


def test_success_is_zero(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert call(monkeypatch, lambda: None) == 0

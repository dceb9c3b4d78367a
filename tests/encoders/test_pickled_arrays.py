"""Pickles written by pickle itself are read without it; whatever else they hold is refused, and not run."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grasp_bench.core.errors import DataError
from grasp_bench.encoders.pickled import read_pickled_array

# Writes an array as numpy 1 does or as numpy 2 does, which name their modules differently.
WRITE = """
import pickle, sys, warnings
import numpy as np
warnings.simplefilter("ignore")
path, protocol, dtype, order, core = sys.argv[1:]
array = np.asarray(np.arange(-6, 6).reshape(3, 4) / 8, dtype=dtype, order=order)
named = pickle.whichmodule
pickle.whichmodule = lambda obj, name: named(obj, name).replace("numpy._core", core)
with open(path, "wb") as stream:
    pickle._dump(array, stream, int(protocol))
"""
EXPECTED = np.arange(-6, 6).reshape(3, 4) / 8


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("core", ["numpy.core", "numpy._core"])
def test_arrays_of_either_numpy_in_every_protocol(tmp_path: Path, protocol: int, core: str) -> None:
    path = tmp_path / "a.pkl"
    subprocess.run([sys.executable, "-c", WRITE, path, str(protocol), ">f4", "F", core], check=True)
    assert core.encode() in path.read_bytes()
    found = read_pickled_array(path)
    assert found.dtype == np.dtype(">f4")
    np.testing.assert_array_equal(found, EXPECTED)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f2", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_float_and_order(tmp_path: Path, protocol: int, dtype: str, order: str) -> None:
    array = np.asarray(EXPECTED, dtype=dtype, order=order)  # type: ignore[call-overload]
    found = written(tmp_path, array, protocol)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_slices_and_read_only_arrays(tmp_path: Path) -> None:
    strided = np.arange(48, dtype=np.float32).reshape(6, 8)[::2, 1::3]
    frozen = strided.copy()
    frozen.flags.writeable = False
    for array in (strided, frozen, strided.T):
        for protocol in (2, 4, 5):
            np.testing.assert_array_equal(written(tmp_path, array, protocol), array)


class Harmful:
    """Runs a command when it is unpickled, as any object can."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self._reduced = (call, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._reduced


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "hidden", [lambda evil: evil, lambda evil: (np.ones((2, 2)), evil), lambda evil: {1: evil}]
)
def test_commands_are_named_and_do_not_run(
    tmp_path: Path, protocol: int, hidden: Callable[[Harmful], object]
) -> None:
    trace = tmp_path / "trace"
    with pytest.raises(DataError, match=r"a\.pkl: not a pickled array of floats: it (names|holds)"):
        written(tmp_path, hidden(Harmful(os.system, f"touch {trace}")), protocol)
    with pytest.raises(DataError):
        written(tmp_path, hidden(Harmful(eval, f"open({str(trace)!r}, 'w')")), protocol)
    assert not trace.exists()


def test_the_command_itself_would_have_run(tmp_path: Path) -> None:
    """The same bytes, given to pickle, leave the trace: the test above tests something."""
    trace = tmp_path / "trace"
    pickle.loads(pickle.dumps(Harmful(os.system, f"touch {trace}")))
    assert trace.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array([["a", {}]], dtype=object), "elements are 'O8'"),
        (np.arange(4), "elements are 'i8'"),
        (np.array(["x"]), "elements are 'U1'"),
        (np.array([1j]), "elements are 'c16'"),
        (np.zeros(2, dtype=[("a", "f4")]), "elements are 'V4'"),
        (np.float32(1), "numpy._core.multiarray.scalar"),
        ({"a": np.ones(2)}, "opcode EMPTY_DICT"),
        ([np.ones(2)], "opcode EMPTY_LIST"),
        ((np.ones(2), np.ones(2)), r"its result is \(array, array\)"),
        ("text", "its result is 'text'"),
        (1.5, "opcode BINFLOAT"),
        (None, "its result is None"),
    ],
)
def test_other_things_are_said_to_be_what_they_are(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        written(tmp_path, value, 4)
    assert "numpy.save" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (b"", "damaged"),
        (b"\x80\x04.", r"its result is \(\)"),
        (b"\x80\x02cnumpy\nndarray\n.", "its result is ndarray"),
        (b"\x80\x02cnumpy\nndarray\nK\x02R.", "calls ndarray with 2"),
        (b"\x80\x02NNR.", "calls None with None"),
        (b"\x80\x02h\x07.", "BINGET of something that is not there"),
        (b"\x80\x02R.", "REDUCE of something that is not there"),
        (b"\x80\x02\x87.", "TUPLE3 of something that is not there"),
        (b"\x80\x02t.", "not there|damaged"),
        (b"\x80\x04NN\x93.", "names what is no name"),
        (b"\x80\x02K\x01" + b"\x85" * 5000 + b".", "its result is"),
        (b"\x80\x04)\x94" + b"h\x00h\x00\x86\x94" * 3 + b"0.", "opcode POP"),
    ],
)
def test_programs_by_hand(tmp_path: Path, program: bytes, message: str) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(program)
    with pytest.raises(DataError, match=message):
        read_pickled_array(path)


def test_shapes_that_lie(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    for protocol in (3, 5):
        whole = pickle.dumps(np.ones((3, 5), np.float32), protocol)
        for told, message in (
            (b"K\x04K\x05\x86", "15 numbers are no array of shape"),
            (b"NK\x05\x86", "its shape is"),
        ):
            path.write_bytes(whole.replace(b"K\x03K\x05\x86", told))
            with pytest.raises(DataError, match=message):
                read_pickled_array(path)


def test_bytes_after_the_array_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(EXPECTED) + pickle.dumps(Harmful(os.getcwd)))
    with pytest.raises(DataError, match="bytes follow the array"):
        read_pickled_array(path)


def test_truncated_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    for protocol in (2, 3, 4, 5):
        whole = pickle.dumps(EXPECTED, protocol)
        for length in range(0, len(whole), 3):
            path.write_bytes(whole[:length])
            with pytest.raises(DataError, match=r"a\.pkl"):
                read_pickled_array(path)


@pytest.mark.filterwarnings("ignore:invalid escape")  # pickletools' own, at garbled opcodes of protocol 0
@settings(max_examples=300)
@given(st.sampled_from([2, 3, 4, 5]), st.data())
def test_garbled_files_are_arrays_or_data_errors(
    tmp_path_factory: pytest.TempPathFactory, protocol: int, data: st.DataObject
) -> None:
    whole = bytearray(pickle.dumps(EXPECTED.astype(np.float16), protocol))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    path = tmp_path_factory.getbasetemp() / "garbled.pkl"
    path.write_bytes(bytes(whole))
    try:
        found = read_pickled_array(path)
    except DataError:
        return
    assert found.dtype.kind == "f"


def written(folder: Path, value: object, protocol: int) -> np.ndarray:
    path = folder / "a.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    return read_pickled_array(path)

"""Read arrays of floats from pickles without unpickling.

A pickle is a program for a small stack machine, and loading it calls whatever it names. Here its opcodes are
only read (pickletools), on a machine that knows the few constructs of a float array and calls nothing.
Anything else raises a DataError that says what was found.

Source: PEP 307, PEP 3154, PEP 574; `ndarray.__reduce__` and `__reduce_ex__` of numpy 1 and 2.
"""

from __future__ import annotations

import math
import mmap
import pickletools
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from grasp_bench.core.errors import DataError

LONGEST = 80  # characters of a name that an error repeats
FLOATS = ("f2", "f4", "f8")
NAMES = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",  # protocol 2 writes bytes as text
    **{(f"numpy.{core}.multiarray", "_reconstruct"): "reconstruct" for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): "frombuffer" for core in ("core", "_core")},
}
CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
LITERALS = frozenset({
    "BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
})  # fmt: skip
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
SILENT = frozenset({"PROTO", "FRAME", "STOP"})


@dataclass(frozen=True)
class Name:
    """One of NAMES, by what it means."""

    meaning: str


@dataclass
class FloatType:
    """A dtype: its code, and its byte order once that is read."""

    code: str
    order: str = "="


@dataclass
class Array:
    """An array, empty until its content is read."""

    values: np.ndarray | None = None


class Unexpected(Exception):
    """A construct that does not occur in an array of floats."""


def read_pickled_array(path: Path) -> np.ndarray:
    """Return the one array of float16, 32 or 64 in a pickle of protocol 2 to 5, in its dtype.

    Raises DataError for damaged files and for anything but such an array.
    """
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return _Machine().run(mapped)
    except Unexpected as error:
        raise DataError(
            f"{path}: not a pickled array of floats: {error}",
            hint="nothing is unpickled here; if you trust the file, load it yourself and use numpy.save",
        ) from None
    except ValueError as error:  # from pickletools for truncated and garbled files, from mmap for empty ones
        raise DataError(f"{path}: damaged pickle: {error}", hint="fetch the file again") from None


@dataclass
class _Machine:
    """The stack, the marks in it, and the memo of one pickle."""

    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def run(self, mapped: mmap.mmap) -> np.ndarray:
        for opcode, argument, _ in pickletools.genops(cast(IO[bytes], mapped)):  # mmap reads as files do
            try:
                self._step(opcode.name, argument)
            except (IndexError, KeyError):
                raise Unexpected(f"{opcode.name} of something that is not there") from None
        result = self.stack[0] if len(self.stack) == 1 else tuple(self.stack)
        if not isinstance(result, Array) or result.values is None:
            raise Unexpected(f"its result is {_described(result)}")
        if mapped.tell() != len(mapped):
            raise Unexpected(f"{len(mapped) - mapped.tell()} bytes follow the array")
        return result.values

    def _step(self, name: str, argument: Any) -> None:
        if name in LITERALS:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in TUPLES:
            self._tuple(len(self.stack) - TUPLES[name])
        elif name == "MARK":
            self.marks.append(len(self.stack))
        elif name == "TUPLE":
            self._tuple(self.marks.pop())
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            self._name(argument)
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name == "REDUCE":
            arguments, called = self.stack.pop(), self.stack.pop()
            self.stack.append(_made(called, arguments))
        elif name == "BUILD":
            state = self.stack.pop()
            _set_state(self.stack[-1], state)
        elif name not in SILENT:
            raise Unexpected(f"it holds the opcode {name}")

    def _tuple(self, start: int) -> None:
        if not 0 <= start <= len(self.stack):
            raise IndexError
        self.stack[start:] = [tuple(self.stack[start:])]

    def _name(self, argument: str | None) -> None:
        if argument is None:
            name, module = self.stack.pop(), self.stack.pop()
        else:
            module, _, name = argument.partition(" ")
        if not (isinstance(module, str) and isinstance(name, str)):
            raise Unexpected("it names what is no name")
        if (module, name) not in NAMES:
            raise Unexpected(f"it names {f'{module}.{name}'[:LONGEST]!r}")
        self.stack.append(Name(NAMES[module, name]))


def _made(called: Any, arguments: Any) -> Any:
    """Return the result of a call, for the four calls that occur in arrays."""
    match called, arguments:
        case Name("encode"), (str(text), "latin1"):
            return text.encode("latin-1")
        case Name("dtype"), (str(code), False, True):
            if code not in FLOATS:
                raise Unexpected(f"its elements are {code[:LONGEST]!r}, not floats of 16, 32 or 64 bits")
            return FloatType(code)
        case Name("reconstruct"), (Name("ndarray"), (0,), b"b"):
            return Array()
        case (
            Name("frombuffer"),
            (bytes() | bytearray() as data, FloatType() as dtype, tuple(shape), "C" | "F" as order),
        ):
            return Array(_array(data, dtype, shape, order))
    raise Unexpected(f"it calls {_described(called)} with {_described(arguments)}")


def _set_state(target: Any, state: Any) -> None:
    """Set a dtype's byte order, or an array's content."""
    match target, state:
        case FloatType(), (3, "<" | ">" | "=" as order, None, None, None, -1, -1, 0):
            target.order = order
        case Array(values=None), (1, tuple(shape), FloatType() as dtype, bool(fortran), bytes(data)):
            target.values = _array(data, dtype, shape, "F" if fortran else "C")
        case _:
            raise Unexpected(f"it sets {_described(target)} to {_described(state)}")


def _array(data: bytes | bytearray, dtype: FloatType, shape: tuple[Any, ...], order: str) -> np.ndarray:
    if not all(type(size) is int and 0 <= size <= len(data) for size in shape):
        raise Unexpected(f"its shape is {_described(shape)}")
    floats = np.frombuffer(data, dtype=np.dtype(dtype.order + dtype.code))
    if math.prod(shape) != floats.size:
        raise Unexpected(f"{floats.size} numbers are no array of shape {_described(shape)}")
    return floats.reshape(shape, order="F" if order == "F" else "C")


def _described(value: Any) -> str:
    """Describe a value briefly: one level of a tuple, the beginning of a text."""
    if isinstance(value, tuple):
        return f"({', '.join('(…)' if isinstance(part, tuple) else _described(part) for part in value[:8])})"
    if isinstance(value, Name):
        return value.meaning
    if isinstance(value, str):
        return repr(value[:LONGEST])
    if isinstance(value, int | None):
        return str(value) if abs(value or 0) < 2**63 else "a huge number"
    return type(value).__name__.lower()

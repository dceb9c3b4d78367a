"""Run templates that users write, without letting one run for ever or fill the memory.

A plain template fills, tests and iterates over the given values and builds nothing up. Its output is at most
its own length times what is known of an entity, so it runs as it is.

All others are metered: a rendering may take a fixed number of steps. A step is one operation, or 128
characters that it reads or could make: `'a' * 9999999999` is refused before it runs, and so is an endless
loop, macro or filter. Steps are counted rather than seconds, so that the limit is the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from types import BuiltinMethodType
from typing import Any

from jinja2 import nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

# None of these keeps a value for later, calls anything, or enlarges a value.
_SHAPES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.Slice, nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not,
    nodes.Test, nodes.Add, nodes.Sub, nodes.Concat, nodes.Filter, nodes.Keyword, nodes.For, nodes.Tuple,
)  # fmt: skip
_OF_ONE = frozenset(
    {"capitalize", "d", "default", "float", "int", "lower", "title", "trim", "truncate", "upper"}
)
_OF_MANY = frozenset(
    {"count", "first", "join", "last", "length", "list", "map", "reject", "rejectattr", "reverse", "select",
     "selectattr", "sort", "unique"}
)  # fmt: skip
_HISTORY = frozenset({"titles", "items"})


def is_plain(tree: nodes.Template) -> bool:
    """Return True when the parsed template cannot build up a large value."""
    return all(_is_plain(node, inside) for node, inside in walk(tree))


def walk(tree: nodes.Template) -> Iterator[tuple[nodes.Node, bool]]:
    """Yield every node, and whether it is in the body of a loop."""
    waiting: list[tuple[nodes.Node, bool]] = [(tree, False)]
    while waiting:
        node, inside = waiting.pop()
        yield node, inside
        children = list(node.iter_child_nodes())
        if isinstance(node, nodes.For):  # the iterable is read once
            walked = node.iter
            waiting += [(child, inside or child is not walked) for child in children]
        else:
            waiting += [(child, inside) for child in children]


def _is_plain(node: nodes.Node, inside: bool) -> bool:
    match node:
        case nodes.For():
            return not inside and not node.recursive
        case nodes.Filter():
            usual = node.name in _OF_ONE or (node.name in _OF_MANY and not inside)
            # `map` may apply any filter; with an attribute it only selects.
            return usual and not (node.name == "map" and node.args)
        case nodes.Include():  # shipped templates are all plain
            return not inside and isinstance(node.template, nodes.Const)
        case nodes.Tuple():
            return node.ctx == "store"
        case nodes.Name():
            # The whole history at each of its items would take the square of its length.
            return not (inside and node.name in _HISTORY)
    return isinstance(node, _SHAPES)


STEPS = 200_000  # of one rendering; about half a second
CHARACTERS = 128  # that count as one step
ELEMENT = 64  # characters that a list element counts as, besides its own

_HELD, _ITERATED = "grasp_bench held", "grasp_bench iterated"  # names that no template can write
_MADE = (
    nodes.Concat, nodes.Filter, nodes.Call, nodes.List, nodes.Dict,
    nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow, nodes.Getitem,
)  # fmt: skip
# Filters whose integer arguments are sizes.
_SIZING = frozenset(
    {"batch", "center", "indent", "replace", "slice", "tojson", "truncate", "urlize", "wordwrap"}
)
_JINJAS_OWN = frozenset({"_loop_vars", "_block_vars"})  # arguments that jinja adds to a call
# A width of five digits, or a width that is an argument.
_WIDE = re.compile(r"\d{5,}|%[^a-zA-Z%]*\*|\{[^{}]*\{")


class TooMuchError(Exception):
    """A rendering needs more steps than it may take."""


class MeteredEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with every operation counted; call `refill` before each rendering."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, **settings: Any) -> None:
        self.left = STEPS
        super().__init__(**settings, optimized=False, finalize=self._printed)
        del self.globals["lipsum"]  # random words, which no text may have
        self.filters = {name: self._counted(name, made) for name, made in self.filters.items()}
        self.filters |= {_HELD: self._held, _ITERATED: self._iterated}

    def refill(self) -> None:
        """Allow all steps for a new rendering."""
        self.left = STEPS

    def spend(self, characters: int) -> None:
        """Count one operation over these characters; raise TooMuchError when no steps are left."""
        self.left -= 1 + characters // CHARACTERS
        if self.left < 0:
            raise TooMuchError(f"takes more than {STEPS:,} steps")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute `left operator right`, counted by the largest possible result."""
        match operator:
            case "*" if isinstance(left, int | float) and isinstance(right, int | float):
                # Time grows with the square for long numbers.
                self.spend(self._weight(left) * self._weight(right))
            case "*":
                times, repeated = (left, right) if isinstance(left, int) else (right, left)
                self.spend(self._weight(repeated) * max(1, times if isinstance(times, int) else 1))
            case "**" if isinstance(left, int) and isinstance(right, int):
                self.spend(left.bit_length() * max(1, abs(right)))
            case "%" if isinstance(left, str | bytes):
                self._refuse_wide(left)
                self.spend(self._weight(left) * max(1, self._weight(right)))
            case _:
                self.spend(self._weight(left) + self._weight(right))
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, obj: Any, /, *args: Any, **named: Any) -> Any:
        """Call a method, macro or global, counted by the largest possible result."""
        method = getattr(obj, "__wrapped__", obj)  # the sandbox wraps str.format
        owner = getattr(method, "__self__", None)
        sizing = isinstance(method, BuiltinMethodType)
        if sizing and getattr(method, "__name__", "") in ("format", "format_map"):
            self._refuse_wide(owner)
            sizing = False
        given = [value for name, value in named.items() if name not in _JINJAS_OWN]
        self.spend(self._product(owner, (*args, *given), sizing=sizing))
        return super().call(context, obj, *args, **named)

    def _generate(self, source: nodes.Template, *rest: Any, **settings: Any) -> str:
        return super()._generate(_Counting().visit(source), *rest, **settings)

    def _counted(self, name: str, made: Callable[..., Any]) -> Callable[..., Any]:
        first = 1 if hasattr(made, "jinja_pass_arg") else 0  # jinja may pass an argument before the value

        @wraps(made)
        def counted(*args: Any, **named: Any) -> Any:
            value, others = args[first], (*args[first + 1 :], *named.values())
            if name == "format":
                self._refuse_wide(value)
            if name == "round":  # computes ten to the given power
                others = tuple(each * each for each in others if isinstance(each, int))
            self.spend(self._product(value, others, sizing=name in _SIZING or name == "round"))
            return made(*args, **named)

        return counted

    @pass_context  # prevents calls at compile time
    def _printed(self, context: Context, value: Any) -> str:
        """Count and return printed text, the text between expressions included."""
        self.spend(self._weight(value))
        text = str(value)
        self.spend(len(text))
        return text

    def _held(self, value: Any) -> Any:
        """Count and return the result of an operation."""
        if not isinstance(value, Namespace):
            self.spend(self._weight(value))
        return value

    def _iterated(self, values: Any) -> Iterator[Any]:
        for value in values:
            self.spend(0)
            yield value

    def _product(self, value: Any, others: tuple[Any, ...], *, sizing: bool) -> int:
        """Return the largest possible result of a function: its value's characters times its arguments'."""
        weights = [abs(each) if sizing and isinstance(each, int) else self._weight(each) for each in others]
        return max(1, self._weight(value)) * max(1, sum(weights))

    def _weight(self, value: Any) -> int:
        """Count the characters in a value and in nested lists, at most as many as steps are left for."""
        weight, waiting, most = 0, [value], self.left * CHARACTERS
        while waiting and weight <= most:
            here = waiting.pop()
            if isinstance(here, str | bytes):
                weight += len(here)
            elif isinstance(here, int):
                weight += here.bit_length() // 3
            elif isinstance(here, Mapping):
                weight += ELEMENT * len(here)
                waiting.extend(here.keys())
                waiting.extend(here.values())
            elif isinstance(here, list | tuple | set | frozenset):
                weight += ELEMENT * len(here)
                waiting.extend(here)
            elif isinstance(here, range):
                weight += ELEMENT * len(here)
            elif isinstance(here, Namespace):  # it could contain itself
                raise TooMuchError("uses a namespace as a value")
        return weight

    def _refuse_wide(self, form: Any) -> None:
        if isinstance(form, str | bytes) and _WIDE.search(str(form)):
            raise TooMuchError("pads a text to a width that is too large, or not written out")


class _Counting(NodeTransformer):
    """Wraps what a template computes, iterates over or prints in the counting filters."""

    def generic_visit(self, node: nodes.Node, *args: Any, **settings: Any) -> nodes.Node:
        super().generic_visit(node, *args, **settings)
        made = isinstance(node, _MADE) or (isinstance(node, nodes.Tuple) and node.ctx == "load")
        return _through(_HELD, node) if made else node

    def visit_TemplateData(self, node: nodes.TemplateData) -> nodes.Node:
        return nodes.Const(node.data, lineno=node.lineno, environment=node.environment)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.iter = _through(_ITERATED, node.iter)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        """Count both sides of a comparison; `in` may read all of one."""
        self.generic_visit(node)
        node.expr = _through(_HELD, node.expr)
        for operand in node.ops:
            operand.expr = _through(_HELD, operand.expr)
        return node

    def visit_Test(self, node: nodes.Test) -> nodes.Node:
        self.generic_visit(node)
        node.args = [_through(_HELD, each) for each in node.args or ()]
        return node

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:
        return self._with(node, "call")

    def visit_FilterBlock(self, node: nodes.FilterBlock | nodes.AssignBlock) -> nodes.Node:
        return self._with(node, "filter")

    visit_AssignBlock = visit_FilterBlock

    def visit_Assign(self, node: nodes.Assign) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.target, nodes.NSRef):
            node.node = _through(_HELD, node.node)
        return node

    def _with(self, node: nodes.Node, part: str) -> nodes.Node:
        """Keep the bare call or filter that the grammar needs here; their own hooks count them."""
        self.generic_visit(node)
        inner = getattr(node, part)
        while isinstance(inner, nodes.Filter) and inner.name == _HELD:
            inner = inner.node
        setattr(node, part, inner)
        return node


def _through(name: str, node: Any) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno, environment=node.environment)

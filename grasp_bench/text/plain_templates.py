"""Which templates end by their shape: they fill, test and walk what is given, and build nothing up.

Such a template makes at most its own length times what is known of an entity, whatever it says. It runs as it
is; all others are counted while they run (`metered_templates`).
"""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes

# Nothing here keeps a value for later, calls anything, or makes more of a value than there was.
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
    """True where the parsed template cannot make much of little."""
    return all(_is_plain(node, inside) for node, inside in walk(tree))


def walk(tree: nodes.Template) -> Iterator[tuple[nodes.Node, bool]]:
    """Every node, and whether it lies in the body of a loop."""
    waiting: list[tuple[nodes.Node, bool]] = [(tree, False)]
    while waiting:
        node, inside = waiting.pop()
        yield node, inside
        children = list(node.iter_child_nodes())
        if isinstance(node, nodes.For):  # what it walks is read once
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
            # `map` may apply any filter; of an attribute it is a choice.
            return usual and not (node.name == "map" and node.args)
        case nodes.Include():  # of a shipped template: all of them are plain
            return not inside and isinstance(node.template, nodes.Const)
        case nodes.Tuple():
            return node.ctx == "store"
        case nodes.Name():
            # All of a history at each item of it would be its square.
            return not (inside and node.name in _HISTORY)
    return isinstance(node, _SHAPES)

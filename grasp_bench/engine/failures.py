"""Keep reports of failed nodes in the store."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grasp_bench.core import atomic
from grasp_bench.core.atomic import private_files
from grasp_bench.engine.tasks import Broken
from grasp_bench.plan.nodes import Node


@dataclass(frozen=True)
class Failure:
    """A failed node: message, hint, and the file with the traceback (None if it could not be written)."""

    node: Node
    message: str
    hint: str | None
    report: Path | None


def record(broken: Broken, store: Path) -> Failure:
    """Write `failures/<stage>-<hash>.txt`."""
    path = _path(broken.node, store)
    text = f"{broken.node.label}\n{broken.message}\n"
    if broken.hint:
        text += f"hint: {broken.hint}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with private_files():  # a traceback may quote a text
            atomic.write_text(path, f"{text}\n{broken.traceback}")
    except OSError:  # the disk may be what failed
        return Failure(broken.node, broken.message, broken.hint, None)
    return Failure(broken.node, broken.message, broken.hint, path)


def forget(node: Node, store: Path) -> None:
    """Remove the report of an earlier attempt."""
    with suppress(OSError):
        _path(node, store).unlink(missing_ok=True)


def _path(node: Node, store: Path) -> Path:
    return store / "failures" / f"{node.stage}-{node.hash}.txt"

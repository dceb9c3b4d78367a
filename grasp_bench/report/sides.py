"""The two sides of a comparison: what a name means, and whether the two may be compared at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grasp_bench.core.errors import GraspBenchError, IncomparableError, UnknownNameError
from grasp_bench.core.suggest import did_you_mean
from grasp_bench.report.cells import ResultCell
from grasp_bench.report.methods import Method, NamePattern
from grasp_bench.report.partitions import Material, difference_of_protocol
from grasp_bench.report.rows import make_row
from grasp_bench.report.schema import Row


@dataclass(frozen=True)
class Side:
    """One side of the pair: its name and its cells, all of one protocol hash."""

    name: str
    method: Method
    cells: tuple[ResultCell, ...]

    @property
    def seeds(self) -> list[int]:
        """Seeds in the order of the cells."""
        return [cell.seed for cell in self.cells if cell.seed is not None]

    def row(self) -> Row:
        """Means over exactly these cells."""
        return make_row(self.name, self.method, self.cells, self.seeds)


def find_sides(first: str, second: str, material: Material) -> tuple[Side, Side]:
    """Resolve two names to cells of one protocol.

    Raises UnknownNameError (with a suggestion) for names that are not there, IncomparableError for
    cells that may not share a ranking.
    """
    return _one_protocol(_sides(first, material), _sides(second, material))


def _sides(name: str, material: Material) -> list[Side]:
    """Everything that a name may mean: a slug, a label, or a short name of a single method."""
    for cell in material.collected.cells:
        if cell.slug == name:
            return [Side(name, cell.method, (cell,))]
    named = [method for method, label in material.labels.items() if label == name]
    fitting = named or [method for method in material.labels if NamePattern.parse(name).fits(method)]
    if not fitting:
        raise _unknown(name, material)
    if len(fitting) > 1:
        labels = ", ".join(material.labels[method] for method in fitting)
        raise UnknownNameError(f"'{name}' fits several methods", mend=f"choose one of: {labels}")
    label, method = material.labels[fitting[0]], fitting[0]
    sides = [Side(label, method, tuple(p.cells[method])) for p in material.partitions if p.cells.get(method)]
    if not sides:
        raise IncomparableError(f"{label} has no finished cell", mend="grasp-bench run the spec first")
    return sides


def _unknown(name: str, material: Material) -> GraspBenchError:
    for slug, reason in material.collected.left_out:
        if slug == name:
            return IncomparableError(f"{name} is left out: {reason}", mend="grasp-bench run the spec again")
    labels = sorted(material.labels.values())
    names = [*labels, *(cell.slug for cell in material.collected.cells)]
    return UnknownNameError(
        f"no method or cell '{name}'{did_you_mean(name, names)}", mend=f"methods here: {', '.join(labels)}"
    )


def _one_protocol(firsts: Sequence[Side], seconds: Sequence[Side]) -> tuple[Side, Side]:
    """The two sides under one protocol hash; refused with the reason when there are none."""
    for left in firsts:
        for right in seconds:
            if left.cells[0].protocol_hash == right.cells[0].protocol_hash:
                if left.cells == right.cells:
                    raise IncomparableError(
                        f"'{left.name}' and '{right.name}' are the same", mend="name two different methods"
                    )
                return left, right
    left, right = firsts[0], seconds[0]
    reason = difference_of_protocol(left.cells, right.cells)
    raise IncomparableError(
        f"{left.name} cannot be compared with {right.name}: {left.name} has {reason}",
        mend="compare cells of one dataset and one protocol",
    )

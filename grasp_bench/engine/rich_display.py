"""Progress bars on a terminal: one for each running node, one for the whole run."""

from __future__ import annotations

from rich.progress import BarColumn, ProgressColumn, TaskID, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.progress import Task as Bar
from rich.table import Column
from rich.text import Text

from grasp_bench.core.console import ShowingConsole, plain
from grasp_bench.core.outlets import guard_streams
from grasp_bench.core.words import readable, roughly
from grasp_bench.engine.callbacks import Callback
from grasp_bench.engine.eta import Eta
from grasp_bench.engine.tasks import Done, Failure, Progress
from grasp_bench.plan.nodes import Node

NARROW = 110  # below this width, clock and note columns are left out


class _Count(ProgressColumn):
    """`40/200 epochs`; of the whole run, nodes or cells."""

    def __init__(self, eta: Eta | None) -> None:
        super().__init__(Column(no_wrap=True, justify="right"))
        self._eta = eta

    def render(self, task: Bar) -> Text:
        if task.total is None:
            return Text("")
        count = f"{task.completed:,.0f}/{task.total:,.0f}"
        if task.fields["node"] is None:
            cells = self._eta
            return Text(f"{count} nodes" if cells is None else f"{cells.cells_finished}/{cells.cells} cells")
        return Text(f"{count} {task.fields['unit']}".rstrip())


class _Label(ProgressColumn):
    """The label of a node, or `all`."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis", ratio=3, min_width=12))

    def render(self, task: Bar) -> Text:
        return plain(task.description, "bold" if task.fields["node"] is None else "")


class _Note(ProgressColumn):
    """The note of a stage."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis", ratio=4))

    def render(self, task: Bar) -> Text:
        return plain(task.fields["note"], "dim")


class _Rate(ProgressColumn):
    """Units per second."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True, justify="right"))

    def render(self, task: Bar) -> Text:
        return Text(f"{task.speed:,.3g}/s" if task.speed and task.fields["node"] else "", style="dim")


class _Left(ProgressColumn):
    """Estimated time left, of a node or of the whole run."""

    def __init__(self, eta: Eta | None) -> None:
        super().__init__(Column(no_wrap=True, justify="right"))
        self._eta = eta

    def render(self, task: Bar) -> Text:
        if self._eta is None:
            return Text("")
        node = task.fields["node"]
        left = self._eta.seconds_left() if node is None else self._eta.seconds_left_of(node)
        style = "bold" if node is None else ""
        return Text(f"about {roughly(left)} left" if left else "", style=style)


class RichDisplay(Callback):
    """Shows live bars; ended nodes become lines above them."""

    def __init__(self, total: int, eta: Eta | None = None) -> None:
        console = ShowingConsole(stderr=True)
        columns: list[ProgressColumn] = [
            _Label(),
            BarColumn(bar_width=12),
            _Count(eta),
            _Rate(),
            _Left(eta),
        ]
        if console.width >= NARROW:
            columns.insert(-1, TimeElapsedColumn(Column(no_wrap=True)))
            columns.append(_Note())
        self._bars = Bars(*columns, console=console, transient=True, expand=True)
        self._running: dict[str, TaskID] = {}
        self._whole = self._add("all", total, None) if total else None
        self._bars.start()
        guard_streams()  # also rich's own streams, which would read escape sequences as styles

    def note(self, line: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(plain(line))

    def started(self, node: Node) -> None:
        """Add a bar."""
        self._running[node.hash] = self._add(node.label, None, node)

    def progress(self, progress: Progress) -> None:
        """Move a bar."""
        event, bar = progress.event, self._running.get(progress.node.hash)
        if bar is not None:
            self._bars.update(
                bar,
                completed=event.done,
                total=event.total or None,
                unit=event.unit,
                note=event.note,
            )

    def finished(self, done: Done) -> None:
        """Turn a bar into a line."""
        self._end(done.node)
        how = Text("found", "dim") if done.reused else Text("done ", "green")
        seconds = Text(readable(done.seconds), "dim")
        self._bars.console.print(Text(" ").join((how, plain(done.node.label), seconds)))

    def failed(self, failure: Failure) -> None:
        """Turn a bar into a red line."""
        self._end(failure.node)
        what = plain(f"{failure.node.label}: {failure.message}")
        self._bars.console.print(Text(" ").join((Text("failed", "red"), what)))

    def close(self) -> None:
        """Remove the bars."""
        self._bars.stop()

    def _add(self, label: str, total: int | None, node: Node | None) -> TaskID:
        return self._bars.add_task(label, total=total, unit="", note="", node=node)

    def _end(self, node: Node) -> None:
        bar = self._running.pop(node.hash, None)
        if bar is not None:
            self._bars.remove_task(bar)
        if self._whole is not None:
            self._bars.advance(self._whole)

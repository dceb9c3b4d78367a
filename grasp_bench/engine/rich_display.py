"""Progress bars: one for each running node, one for the whole run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.progress import BarColumn, ProgressColumn, TaskID, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.progress import Task as Bar
from rich.table import Column
from rich.text import Text

from grasp_bench.core.console import ShowingConsole, plain
from grasp_bench.core.outlets import guard_streams, put_back, standard_streams
from grasp_bench.core.words import readable, roughly
from grasp_bench.engine.callbacks import Callback
from grasp_bench.engine.eta import Eta
from grasp_bench.engine.tasks import Done, Failure, Progress
from grasp_bench.plan.nodes import Node

NARROW = 110  # below this width, clock and note columns are left out


class _TextColumn(ProgressColumn):
    """A column of the text that `text_of` gives for each bar."""

    def __init__(self, text_of: Callable[[Bar], Text], **column: Any) -> None:
        super().__init__(Column(no_wrap=True, **column))
        self._text_of = text_of

    def render(self, task: Bar) -> Text:
        return self._text_of(task)


class BarsDisplay(Callback):
    """Keeps the bars of a run of `total` nodes; a subclass shows them, and the lines beside them."""

    def __init__(self, total: int, eta: Eta | None, console: ShowingConsole) -> None:
        self._eta = eta
        columns: list[ProgressColumn] = [
            _TextColumn(_label, overflow="ellipsis", ratio=3, min_width=12),
            BarColumn(bar_width=12),
            _TextColumn(self._count, justify="right"),
            _TextColumn(_rate, justify="right"),
            _TextColumn(self._left, justify="right"),
        ]
        if console.width >= NARROW:
            columns.insert(-1, TimeElapsedColumn(Column(no_wrap=True)))
            columns.append(_TextColumn(_note, overflow="ellipsis", ratio=4))
        self._bars = Bars(*columns, console=console, transient=True, expand=True)
        self._running: dict[str, TaskID] = {}
        self._whole = self._add("all", total, None) if total else None

    def say(self, line: Text) -> None:
        """Show a line above the bars."""
        raise NotImplementedError

    def note(self, line: str) -> None:
        """Show a line above the bars."""
        self.say(plain(line))

    def started(self, node: Node) -> None:
        """Add a bar."""
        self._running[node.hash] = self._add(node.label, None, node)

    def progress(self, progress: Progress) -> None:
        """Move a bar."""
        event, bar = progress.event, self._running.get(progress.node.hash)
        if bar is not None:
            total = event.total or None
            self._bars.update(bar, completed=event.done, total=total, unit=event.unit, note=event.note)

    def finished(self, done: Done) -> None:
        """Remove a bar."""
        self._end(done.node)

    def failed(self, failure: Failure) -> None:
        """Turn a bar into a red line."""
        self._end(failure.node)
        what = plain(f"{failure.node.label}: {failure.message}")
        self.say(Text(" ").join((Text("failed", "red"), what)))

    def _count(self, bar: Bar) -> Text:
        """`40/200 epochs`; of the whole run, nodes or cells."""
        if bar.total is None:
            return Text("")
        count = f"{bar.completed:,.0f}/{bar.total:,.0f}"
        if bar.fields["node"] is not None:
            return Text(f"{count} {bar.fields['unit']}".rstrip())
        eta = self._eta
        return Text(f"{count} nodes" if eta is None else f"{eta.cells_finished}/{eta.cells} cells")

    def _left(self, bar: Bar) -> Text:
        """Estimated time left, of a node or of the whole run."""
        if self._eta is None:
            return Text("")
        node = bar.fields["node"]
        left = self._eta.seconds_left() if node is None else self._eta.seconds_left_of(node)
        return Text(f"about {roughly(left)} left" if left else "", style="bold" if node is None else "")

    def _add(self, label: str, total: int | None, node: Node | None) -> TaskID:
        return self._bars.add_task(label, total=total, unit="", note="", node=node)

    def _end(self, node: Node) -> None:
        bar = self._running.pop(node.hash, None)
        if bar is not None:
            self._bars.remove_task(bar)
        if self._whole is not None:
            self._bars.advance(self._whole)


class RichDisplay(BarsDisplay):
    """Shows live bars on a terminal; ended nodes become lines above them."""

    def __init__(self, total: int, eta: Eta | None = None) -> None:
        super().__init__(total, eta, ShowingConsole(stderr=True))
        self._streams = standard_streams()
        self._bars.start()
        guard_streams()  # also rich's own streams, which would read escape sequences as styles

    def say(self, line: Text) -> None:
        """Print a line above the bars."""
        self._bars.console.print(line)

    def finished(self, done: Done) -> None:
        """Turn a bar into a line."""
        super().finished(done)
        how = Text("found", "dim") if done.reused else Text("done ", "green")
        seconds = Text(readable(done.seconds), "dim")
        self.say(Text(" ").join((how, plain(done.node.label), seconds)))

    def close(self) -> None:
        """Remove the bars, and put the streams back."""
        self._bars.stop()
        put_back(self._streams)


def _label(bar: Bar) -> Text:
    """The label of a node, or `all`."""
    return plain(bar.description, "bold" if bar.fields["node"] is None else "")


def _note(bar: Bar) -> Text:
    return plain(bar.fields["note"], "dim")


def _rate(bar: Bar) -> Text:
    """Units per second."""
    return Text(f"{bar.speed:,.3g}/s" if bar.speed and bar.fields["node"] else "", style="dim")

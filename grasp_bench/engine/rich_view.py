"""Bars on a terminal: one for each node that runs, one for the whole."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bars,
)
from rich.progress import (
    Task as Bar,
)
from rich.text import Text

from grasp_bench.core.durations import readable
from grasp_bench.engine.failures import Failure
from grasp_bench.engine.tasks import Done, Progress
from grasp_bench.plan.nodes import Node


class _Rate(ProgressColumn):
    """Units per second, once there are any."""

    def render(self, task: Bar) -> Text:
        unit = task.fields.get("unit", "")
        return Text(f"{task.speed:,.4g} {unit}/s" if task.speed and unit else "", style="dim")


class RichView:
    """Live bars; ended nodes scroll up as lines."""

    def __init__(self, total: int) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._running: dict[str, TaskID] = {}
        self._whole = self._bars.add_task("[bold]all", total=total, unit="", note="") if total else None
        self._bars.start()

    def note(self, line: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(escape(line), highlight=False)

    def started(self, node: Node) -> None:
        """Add a bar."""
        label = escape(node.label)
        self._running[node.hash] = self._bars.add_task(label, total=None, unit="", note="")

    def progress(self, progress: Progress) -> None:
        """Move a bar."""
        event, bar = progress.event, self._running.get(progress.node.hash)
        if bar is not None:
            self._bars.update(
                bar,
                completed=event.done,
                total=event.total or None,
                unit=event.unit,
                note=escape(event.note),
            )

    def finished(self, done: Done) -> None:
        """Turn a bar into a line."""
        self._end(done.node)
        how = "[dim]found[/dim]" if done.reused else "[green]done[/green] "
        self._bars.console.print(
            f"{how} {escape(done.node.label)} [dim]{readable(done.seconds)}", highlight=False
        )

    def failed(self, failure: Failure) -> None:
        """Turn a bar into a red line."""
        self._end(failure.node)
        text = f"[red]failed[/red] {escape(failure.node.label)}: {escape(failure.message)}"
        self._bars.console.print(text, highlight=False)

    def close(self) -> None:
        """Take the bars off the screen."""
        self._bars.stop()

    def _end(self, node: Node) -> None:
        bar = self._running.pop(node.hash, None)
        if bar is not None:
            self._bars.remove_task(bar)
        if self._whole is not None:
            self._bars.advance(self._whole)

"""Progress bars in a notebook: those of the terminal, as one output of the cell that is drawn anew."""

from __future__ import annotations

import io
import time

from IPython.display import display
from rich.jupyter import JUPYTER_HTML_FORMAT, JupyterRenderable
from rich.text import Text

from grasp_bench.core.console import ShowingConsole
from grasp_bench.engine.eta import Eta
from grasp_bench.engine.rich_display import BarsDisplay
from grasp_bench.engine.tasks import Done, Progress
from grasp_bench.plan.nodes import Node

WIDTH = 100  # characters; wider output is folded in common themes
SECONDS_BETWEEN_DRAWINGS = 0.2


class NotebookDisplay(BarsDisplay):
    """Draws notes, failures and bars; the last drawing is saved with the notebook, as no widget would be."""

    def __init__(self, total: int, eta: Eta | None = None) -> None:
        super().__init__(total, eta, _console())
        self._lines: list[Text] = []
        self._drawn = time.monotonic()
        self._output = display(self._drawing(), display_id=True)  # type: ignore[no-untyped-call]

    def say(self, line: Text) -> None:
        """Show a line above the bars, and keep it."""
        self._lines.append(line)
        self._draw()

    def started(self, node: Node) -> None:
        """Add a bar."""
        super().started(node)
        self._draw_if_due()

    def progress(self, progress: Progress) -> None:
        """Move a bar."""
        super().progress(progress)
        self._draw_if_due()

    def finished(self, done: Done) -> None:
        """Remove a bar."""
        super().finished(done)
        self._draw_if_due()

    def close(self) -> None:
        """Leave the lines and the bar of the whole run."""
        for bar in self._running.values():
            self._bars.remove_task(bar)
        self._draw()

    def _draw_if_due(self) -> None:
        if time.monotonic() - self._drawn >= SECONDS_BETWEEN_DRAWINGS:
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        self._output.update(self._drawing())

    def _drawing(self) -> JupyterRenderable:
        console = _console()
        for line in self._lines:
            console.print(line)
        console.print(self._bars.get_renderable())
        html = console.export_html(inline_styles=True, code_format=JUPYTER_HTML_FORMAT, clear=False)
        return JupyterRenderable(html, console.export_text())


def _console() -> ShowingConsole:
    """Return a console that only records."""
    return ShowingConsole(file=io.StringIO(), record=True, width=WIDTH, force_jupyter=False)

"""Rich's console as tables and bars of the harness are printed on: its colours act, text is only shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from grasp_bench.core.outlets import styled
from grasp_bench.core.shown import shown, shown_line


class ShowingConsole(Console):
    """A console whose escape sequences are rich's alone; control characters of what is printed are shown."""

    @property
    def file(self) -> IO[str]:
        """Below the Outlet of the process: what is written here is shown already."""
        return styled(super().file)

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Segments with their text as it may be shown.

        Escapes are longer than what they stand for: text that must fit (cells, labels) is better given
        as `plain`, which is escaped before it is measured.
        """
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else shown(segment.text)
            yield segment if text == segment.text else Segment(text, segment.style)


def plain(text: str, style: str = "") -> Text:
    """Text of any origin on one line: no markup, no emoji codes and no control characters act in it."""
    return Text(shown_line(text), style)

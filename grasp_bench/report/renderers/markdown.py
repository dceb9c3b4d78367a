"""The board as GitHub Markdown: best **bold**, second underlined, what few read folded."""

from __future__ import annotations

import re

from grasp_bench.core.shown import shown
from grasp_bench.report.document import Document, Entry, Section, Table
from grasp_bench.report.schema import Board

_SPECIAL = re.compile(r"([\\`*_\[\]|<>#~&])")
_BREAK = re.compile(r"[\r\n]+")


def render(board: Board, document: Document) -> str:
    """All sections; ends with a newline."""
    return document_text(document)


def document_text(document: Document) -> str:
    """Any document, a board or not."""
    blocks = [f"# {escape(document.title)}", *map(escape, document.lines)]
    for section in document.sections:
        blocks.extend(_section(section))
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """Make text literal in Markdown, table cells included; line breaks become spaces."""
    return _SPECIAL.sub(r"\\\1", shown(_BREAK.sub(" ", text)))


def _section(section: Section) -> list[str]:
    blocks = []
    if section.lines:
        blocks.append("\n".join(f"- {escape(line)}" for line in section.lines))
    for table in section.plain_tables:
        blocks.extend(render_table(table))
    if section.folded:
        blocks = ["<details><summary>show</summary>", *blocks, "</details>"]
    return [f"## {escape(section.title)}", *blocks]


def render_table(table: Table) -> list[str]:
    """Title (if it has one), table and notes, each a block of its own."""
    head = " | ".join(escape(column.head) for column in table.columns)
    rule = " | ".join("---:" if column.align == "right" else ":---" for column in table.columns)
    body = [f"| {' | '.join(map(_entry, row))} |" for row in table.rows]
    return [
        *([f"### {escape(table.title)}"] if table.title else []),
        "\n".join([f"| {head} |", f"| {rule} |", *body]),
        *map(escape, table.notes),
    ]


def _entry(entry: Entry) -> str:
    text = escape(entry.text)
    marked = {"": text, "best": f"**{text}**", "second": f"<u>{text}</u>"}[entry.mark]
    return f"{marked} ≈" if entry.tier else marked

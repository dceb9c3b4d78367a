"""`dataset.format:` — how the files of a dataset are laid out, where their first lines do not show it."""

from __future__ import annotations

from pydantic import Field, model_validator

from grasp_bench.spec.section import Section, refuse_repeats

WORDS = {"tab": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}


class TableFormat(Section):
    """Layout of one text file; what is not given is found in its first lines, and told on the card."""

    separator: str | None = Field(
        None,
        min_length=1,
        description="Between columns: ',', ';', '::' or the like, or tab, space, comma, semicolon, pipe.",
    )
    header: tuple[str, ...] | None = Field(
        None, min_length=1, description="Names of the columns of a file without a header line."
    )
    quotes: bool | None = Field(
        None,
        description="Fields may stand in double quotes; by default not where tabs or blanks part them.",
    )
    encoding: str = Field("utf-8", min_length=1, description="utf-8, latin-1, cp1252 or another of Python's.")
    user_lines: bool | None = Field(
        None, description="Each line is a user and then the items of the history, in order."
    )

    @model_validator(mode="after")
    def _names_differ(self) -> TableFormat:
        if self.header is not None:
            refuse_repeats("header", self.header)
            if self.user_lines:
                raise ValueError("header and user_lines exclude each other: a line of a user has no columns")
        return self

    @property
    def character(self) -> str | None:
        """Return the separator itself where a word names it."""
        return None if self.separator is None else WORDS.get(self.separator, self.separator)


class Format(TableFormat):
    """Layout of the interactions file, and of the files beside it.

    `time` reads the order column, as Python's strptime writes it: "%d/%m/%Y" for 31/01/2020. Without a zone
    in it times are UTC.
    """

    items: TableFormat = TableFormat()
    users: TableFormat = TableFormat()
    time: str | None = Field(None, min_length=2, description='Of the order column, such as "%d/%m/%Y %H:%M".')

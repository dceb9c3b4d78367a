"""`grasp-bench data`: list and prepare public datasets; print the card of any dataset."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from grasp_bench.cli.options import Overrides
from grasp_bench.cli.output import console, note, say, say_json
from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.outlets import styled
from grasp_bench.core.progress import Event
from grasp_bench.core.shown import shown_line

if TYPE_CHECKING:
    from grasp_bench.data.sources.build import BuildResult
    from grasp_bench.spec.dataset import Dataset
    from grasp_bench.spec.public_sets import PublicSet

MIRROR = "GRASP_BENCH_MIRROR"  # an address instead of the publishers', for `run --prepare` as well

Urls = Annotated[
    list[str],
    typer.Option(
        "--url",
        metavar="URL",
        envvar=MIRROR,
        help="Download from here: address of a file, or of a folder (ends in /); may be repeated.",
    ),
]
SIZES = ("users", "items", "interactions")
BETWEEN_CHANGES, BETWEEN_LINES = 0.2, 10.0  # seconds

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)


@app.callback()
def data() -> None:
    """Prepare public datasets, and print the card of any dataset."""


@app.command("list")
def list_public() -> None:
    """List the public datasets that can be prepared: files, sizes, terms, sources."""
    from grasp_bench.spec.public_sets import FAMILIES, SINGLE_SETS

    for public in SINGLE_SETS:
        _describe(public)
    for family in FAMILIES:
        _describe(family.pattern, family.members)
    say("Unlisted file sizes are printed when the download begins. The terms are the publishers' own:")
    say("use the files for research only and do not add them to a repository.")


def _describe(public: PublicSet, members: Mapping[str, PublicSet] | None = None) -> None:
    say(f"{public.name}: {public.title}")
    for line in [public.published_in_words] if members is None else _words(public.name, members):
        say(f"    {line}")
    say(f"    rule    {public.rule}")
    say(f"    text    {public.text}")
    for raw in public.files:
        size = f", {raw.size / 1e6:.1f} MB" if raw.size else ""
        other = f", or from {raw.instead} where that is given" if raw.instead else ""
        say(f"    from    {raw.url} ({raw.content}{size}{other})")
    say(f"    terms   {public.terms}; {public.homepage}")
    if public.by_hand:
        say(f"    by hand {public.by_hand}")


def _words(pattern: str, members: Mapping[str, PublicSet]) -> list[str]:
    word = pattern[pattern.index("<") : pattern.index(">") + 1]
    return textwrap.wrap(f"{word}: {', '.join(members)}", 106, subsequent_indent=" " * 4)


@app.command("prepare")
def prepare(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of `grasp-bench data list`.")],
    raw: Annotated[
        list[Path],
        typer.Option(
            "--raw",
            metavar="PATH",
            help="Raw files, or a folder of them, with their published names; nothing is downloaded then.",
        ),
    ] = [],  # noqa: B006 - typer reads the default and never changes it
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="FOLDER", help="Data folder: by default $GRASP_BENCH_DATA, else ./data."
        ),
    ] = None,
    url: Urls = [],  # noqa: B006
    sha256: Annotated[
        list[str], typer.Option("--sha256", metavar="FILE=HEX", help="Expected checksum of a raw file.")
    ] = [],  # noqa: B006
) -> None:
    """Make interactions.csv and items.csv of a public dataset by the published rule.

    Writes to FOLDER/NAME, and downloads to FOLDER/raw. Continues an interrupted download, keeps a dataset
    that exists already, and never overwrites data that were made in another way.
    """
    from grasp_bench.data.sources.build import build
    from grasp_bench.data.sources.raw_files import Sources
    from grasp_bench.spec.locations import data_root

    root = to or data_root()
    with PrintedProgress() as progress:
        found = build(name, root, Sources(tuple(raw), tuple(url), _checksums(sha256)), progress)
    _tell(found)
    if to is not None:
        say(f"to use it: export GRASP_BENCH_DATA={to}, or dataset.source: {found.folder}")


def _checksums(options: list[str]) -> dict[str, str]:
    found = {}
    for option in options:
        name, equals, digest = option.partition("=")
        if not equals or len(digest) != 64:
            raise GraspBenchError(f"--sha256 {option}: not of the form FILE=64 hexadecimal digits")
        found[name] = digest
    return found


def _tell(found: BuildResult) -> None:
    """Print the sizes of the dataset and whether they equal those of the published set."""
    counts: dict[str, Any] = found.record["counts"]
    published: dict[str, int] = found.record["published"]
    sizes = ", ".join(f"{counts[key]:,} {key}" for key in SIZES)
    say(f"{found.folder}: {sizes}{'' if found.made else ' (made before from the same files)'}")
    others = [_counted(key, count) for key, count in counts.items() if key not in SIZES]
    if others:
        say(f"  {', '.join(others)}")
    expected = ", ".join(_counted(key, count) for key, count in published.items())
    if not published:
        say("  no published counts are known, so that these cannot be checked")
    elif not found.record["as_published"]:
        note(f"note: this is NOT the published set, which has {expected}: are the raw files whole?")
    elif set(SIZES) <= set(published):
        say("  exactly as many as in the published set")
    else:
        say(f"  as published: {expected}; no other counts are known")


def _counted(name: str, count: int) -> str:
    return f"{count:,} {name.replace('_', ' ')}"


def prepare_for_run(source: str) -> None:
    """Build a public dataset for `run --prepare`, unless it is there with its texts."""
    import os

    from grasp_bench.data.sources.build import build_if_absent
    from grasp_bench.data.sources.raw_files import Sources
    from grasp_bench.spec.locations import data_root

    urls = tuple(os.environ.get(MIRROR, "").split())
    with PrintedProgress() as progress:
        found = build_if_absent(source, data_root(), Sources(urls=urls), progress)
    if found is not None:
        _tell(found)


@app.command("card")
def card(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="demo, a name under $GRASP_BENCH_DATA, a folder, an interactions file, or a spec (.yaml).",
        ),
    ],
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    output: Annotated[
        Literal["table", "json"], typer.Option("--format", help="Table for people, JSON for programs.")
    ] = "table",
) -> None:
    """Print the card of a dataset: sizes, lengths, repeat and unseen targets, clones, ties, repairs.

    Columns, filters and repairs are set as in a spec, e.g. --set dataset.columns.user=reviewerID.
    """
    from grasp_bench.data.card import card_of_dataset
    from grasp_bench.data.card_table import card_table

    found = card_of_dataset(_dataset(source, overrides))
    if output == "json":
        say_json(found)
    else:
        console().print(card_table(found))


def _dataset(source: str, overrides: list[str]) -> Dataset:
    import json

    from grasp_bench.spec.loading import load, load_text

    if source.endswith((".yaml", ".yml")):
        return load(Path(source), overrides).experiment.dataset
    spec = json.dumps({"name": "card", "dataset": {"source": source}})  # JSON is YAML
    return load_text(spec, "data card", overrides).experiment.dataset


class PrintedProgress:
    """Prints progress to stderr: one line that changes on a terminal, else a line every ten seconds.

    It is a context manager and a `core.progress.Report`.
    """

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._said = 0.0
        self._task = ""

    def __enter__(self) -> PrintedProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live and self._task:
            sys.stderr.write("\n")

    def __call__(self, event: Event) -> None:
        """Print the state of a task, unless a line was printed just now; a note is printed at once."""
        now = time.monotonic()
        due = now - self._said >= (BETWEEN_CHANGES if self._live else BETWEEN_LINES)
        if not (due or event.note or event.task != self._task):
            return
        ended = "\n" if self._live and self._task and (event.task != self._task or event.note) else ""
        self._said, self._task = now, event.task
        line = shown_line(f"{event.task}  {_amount(event)}" + (f"  {event.note}" if event.note else ""))
        stream = styled(sys.stderr)  # for the return and the clearing of the line
        stream.write(f"{ended}\r\x1b[K{line}" if self._live else f"{line}\n")
        stream.flush()


def _amount(event: Event) -> str:
    if event.unit == "bytes":
        of = f" of {event.total / 1e6:,.1f} MB ({event.done / event.total:.0%})" if event.total else " MB"
        return f"{event.done / 1e6:,.1f}{of}"
    return f"{event.done:,} {event.unit}"

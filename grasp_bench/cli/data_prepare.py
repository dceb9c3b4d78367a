"""`grasp-bench data list` and `data prepare`: public datasets from the files their publishers offer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grasp_bench.cli.output import note, say
from grasp_bench.core.errors import GraspBenchError

if TYPE_CHECKING:
    from grasp_bench.data.sources.build import BuildResult
    from grasp_bench.spec.public_sets import PublicSet

MIRROR = "GRASP_BENCH_MIRROR"  # an address instead of the publishers', for `run --prepare` as well

Urls = Annotated[
    list[str],
    typer.Option(
        "--url",
        metavar="URL",
        envvar=MIRROR,
        help="Fetch from here instead: a file's address, or a folder's that ends in /; may be repeated.",
    ),
]


def list_public() -> None:
    """List the public datasets that can be prepared: files, sizes, terms, sources."""
    from grasp_bench.spec.public_sets import PUBLIC_SETS

    for public in PUBLIC_SETS.values():
        _describe(public)
    say("Sizes of files that are not listed are told when fetching begins. Terms are the publishers' own:")
    say("what is fetched is theirs, for research, and must not be made part of a repository.")


def _describe(public: PublicSet) -> None:
    say(f"{public.name}: {public.title}")
    say(f"    {public.users:,} users, {public.items:,} items, {public.interactions:,} interactions")
    say(f"    rule    {public.rule}")
    say(f"    text    {public.text}")
    for raw in public.files:
        size = f", {raw.size / 1e6:.1f} MB" if raw.size else ""
        other = f", or from {raw.instead} where that is given" if raw.instead else ""
        say(f"    from    {raw.url} ({raw.content}{size}{other})")
    say(f"    terms   {public.terms}; {public.homepage}")


def prepare(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of `grasp-bench data list`.")],
    raw: Annotated[
        list[Path],
        typer.Option(
            "--raw",
            metavar="PATH",
            help="Raw files, or a folder of them, by their published names; then nothing is fetched.",
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
        list[str],
        typer.Option("--sha256", metavar="FILE=HEX", help="Expected checksum of a raw file."),
    ] = [],  # noqa: B006
) -> None:
    """Make interactions.csv and items.csv of a public dataset by the published rule.

    Files go to FOLDER/NAME, fetched ones to FOLDER/raw. An interrupted download goes on where it broke;
    what is there already is not made again; data that were made otherwise are never overwritten.
    """
    from grasp_bench.cli.data_progress import Telling
    from grasp_bench.data.sources.build import build
    from grasp_bench.data.sources.raw_files import Sources
    from grasp_bench.spec.locations import data_root

    root = to or data_root()
    with Telling() as telling:
        found = build(name, root, Sources(tuple(raw), tuple(url), _checksums(sha256)), telling)
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
    """What was made, and whether it is the set that papers speak of."""
    counts: dict[str, Any] = found.record["counts"]
    published: dict[str, int] = found.record["published"]
    sizes = ", ".join(f"{counts[key]:,} {key}" for key in published)
    say(f"{found.folder}: {sizes}{'' if found.made else ' (made before from the same files)'}")
    others = [f"{count:,} {key.replace('_', ' ')}" for key, count in counts.items() if key not in published]
    if others:
        say(f"  {', '.join(others)}")
    if found.record["as_published"]:
        say("  exactly as many as in the published set")
    else:
        expected = ", ".join(f"{count:,} {key}" for key, count in published.items())
        note(f"note: this is NOT the published set, which has {expected}: are the raw files whole?")


def prepare_for_run(source: str) -> None:
    """`run --prepare`: build a spec's dataset where it is not there with its texts."""
    import os

    from grasp_bench.cli.data_progress import Telling
    from grasp_bench.data.sources.build import build_if_absent
    from grasp_bench.data.sources.raw_files import Sources
    from grasp_bench.spec.locations import data_root

    urls = tuple(os.environ.get(MIRROR, "").split())
    with Telling() as telling:
        found = build_if_absent(source, data_root(), Sources(urls=urls), telling)
    if found is not None:
        _tell(found)

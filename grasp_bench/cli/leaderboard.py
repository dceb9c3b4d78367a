"""Commands that show stored results: `leaderboard`, `report`, `compare` and `power`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_bench import api
from grasp_bench.cli import options
from grasp_bench.cli.output import console, note, say, say_json, say_whole
from grasp_bench.cli.studies import display
from grasp_bench.core.errors import MissingFileError
from grasp_bench.report.renderers.registry import RENDERERS


def leaderboard(
    spec: options.ResultsOf = None,
    results: options.ResultsPath = options.DEFAULT_RESULTS,
    format: Annotated[
        str, typer.Option("--format", metavar="|".join(RENDERERS), help="How the board is written.")
    ] = RENDERERS.default,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it to a file.")] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME@K", help="Rank by this metric, e.g. HR@20.")
    ] = None,
    protocol: Annotated[
        options.Protocol | None, typer.Option("--protocol", help="Rank by the full or the sampled ranking.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Write the boards of all results, in all formats, to --leaderboard.")
    ] = False,
    leaderboard: options.LeaderboardPath = options.DEFAULT_LEADERBOARD,
) -> None:
    """Rank the methods of a spec, with significance, from stored results alone."""
    if every:
        _write_all(spec, results, leaderboard)
        return
    from grasp_bench.core import atomic
    from grasp_bench.report.board import load_board
    from grasp_bench.report.layout import lay_out
    from grasp_bench.report.locate import find_results

    render = RENDERERS.get(format)
    board = load_board(find_results(spec, results), metric=metric)
    document = lay_out(board, metric=metric, protocol=protocol)
    if format == "rich" and out is None:
        from grasp_bench.report.renderers.terminal import show

        show(document, console())
        return
    if format == "json" and out is None:
        say_json(board)
        return
    text = render(board, document)
    if out is None:
        say_whole(text)
    else:
        atomic.write_text(out, text)
        note(f"wrote {out}")


def _write_all(spec: str | None, results: Path, leaderboard: Path) -> None:
    from grasp_bench.core import atomic
    from grasp_bench.report.cells import cell_folders
    from grasp_bench.report.renderers.markdown import document_text
    from grasp_bench.report.renderers.registry import render_all
    from grasp_bench.report.studies import read_findings

    if spec is not None:
        raise typer.BadParameter("--all writes the boards of every spec: leave SPEC out")
    folders = [path for path in sorted(results.glob("*")) if path.is_dir() and cell_folders(path)]
    if not folders:
        raise MissingFileError(f"{results}: no results here", hint="grasp-bench run a spec first")
    for folder in folders:
        paths = render_all(folder, leaderboard)
        for findings in read_findings(folder):
            path = leaderboard / f"{folder.name}.{findings.name}.md"
            atomic.write_text(path, document_text(findings.study.document(findings.found)))
            paths.append(path)
        note(f"wrote {', '.join(str(path) for path in paths)}")


def report(
    spec: options.ResultsOf = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to; by default leaderboard/<spec>.report.html."),
    ] = None,
    results: options.ResultsPath = options.DEFAULT_RESULTS,
    leaderboard: options.LeaderboardPath = options.DEFAULT_LEADERBOARD,
) -> None:
    """Write one HTML file that needs no network: board, figures, studies, data, provenance."""
    path = api.report(spec, out=out, results=results, leaderboard=leaderboard)
    say(f"{path} ({path.stat().st_size / 1e3:,.0f} kB)")


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A method as the board names it, or a slug.")],
    second: Annotated[str, typer.Argument(metavar="B", help="What A is compared with.")],
    spec: Annotated[
        str | None,
        typer.Option(
            "--spec", metavar="SPEC", help="A spec's name, its file, or a results folder; else the only one."
        ),
    ] = None,
    results: options.ResultsPath = options.DEFAULT_RESULTS,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME@K", help="The metric that is tested, e.g. HR@20.")
    ] = None,
    output: options.FormatOption = "rich",
) -> None:
    """Explain A less B: how much, how sure, for whom, and which settings differ."""
    from grasp_bench.report.comparison_layout import lay_out_pair
    from grasp_bench.report.comparison_pair import compare_pair
    from grasp_bench.report.locate import find_results

    pair = compare_pair(find_results(spec, results), first, second, metric)
    display(pair, lay_out_pair(pair), output)


def power(
    spec: options.ResultsOf = None,
    results: options.ResultsPath = options.DEFAULT_RESULTS,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric", metavar="NAME@K", help="Instead of the metric that is declared, e.g. HR@20."
        ),
    ] = None,
    protocol: Annotated[
        options.Protocol | None, typer.Option("--protocol", help="Instead of the ranking that is declared.")
    ] = None,
    points: Annotated[
        list[float] | None,
        typer.Option(
            "--points", min=0.001, max=100, help="A difference in points of percent; may be repeated."
        ),
    ] = None,
    sure: Annotated[
        float, typer.Option("--power", min=0.5, max=0.99, help="The chance with which it shall be told.")
    ] = 0.8,
    output: options.FormatOption = "rich",
) -> None:
    """Say how many seeds it takes to tell a difference, from stored results alone."""
    from grasp_bench.report.locate import find_results
    from grasp_bench.studies.power.layout import lay_out_power
    from grasp_bench.studies.power.seeds_needed import POINTS, PowerOptions, seeds_needed

    sizes = tuple(sorted(set(points))) if points else POINTS
    wanted = PowerOptions(metric, protocol, sizes, sure)
    found = seeds_needed(find_results(spec, results), wanted)
    display(found, lay_out_power(found), output)

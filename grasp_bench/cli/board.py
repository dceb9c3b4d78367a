"""`board`: a board in the terminal, or all boards of a results folder in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from grasp_bench.cli import options
from grasp_bench.cli.output import note


def board(
    spec: options.ResultsOf = None,
    web: Annotated[
        bool, typer.Option("--web", help="Serve the boards of all specs to a browser on this machine.")
    ] = False,
    results: options.ResultsPath = options.DEFAULT_RESULTS,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="With --web: the address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="With --web: by default 8321, or a free one."),
    ] = None,
    opens: Annotated[
        bool, typer.Option("--open/--no-open", help="With --web: open the page in the browser.")
    ] = True,
) -> None:
    """Show a board as `leaderboard` does; with --web, all boards as pages that filter and compare."""
    if not web:
        from grasp_bench.cli.leaderboard import leaderboard

        leaderboard(spec, results=results)
        return
    from urllib.parse import quote

    from grasp_bench.core.errors import MissingFileError
    from grasp_bench.report.locate import find_results, folders_of_results
    from grasp_bench.report.web.serving import serve

    path = "/"
    if spec is not None:
        folder = find_results(spec, results).resolve()
        results, path = folder.parent, f"/studies/{quote(folder.name, safe='')}"
    elif not folders_of_results(results):
        raise MissingFileError(f"{results}: no results here", hint="grasp-bench run a spec first")
    serve(results, host=host, port=port, path=path, opens=opens, tell=note)

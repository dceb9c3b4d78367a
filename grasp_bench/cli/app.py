"""The command line: the table of commands, and the exit codes of errors.

A command is imported when it is called: `--help` lists commands without importing them.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Annotated, Any, NoReturn

import typer
import typer.core
import typer.main

from grasp_bench import __version__
from grasp_bench.cli.output import note, report_error, say
from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.outlets import guard_streams

# Name: (module:attribute, help). The attribute is a function, or a typer.Typer with commands of its own.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("grasp_bench.cli.spec:init", "Write a commented starter spec."),
    "validate": ("grasp_bench.cli.spec:validate", "Check specs and print all problems at once."),
    "plan": ("grasp_bench.cli.plan:plan", "Show stages, cells, the cache and an estimate."),
    "run": ("grasp_bench.cli.run:run", "Run unfinished cells; the same command resumes."),
    "tune": ("grasp_bench.cli.run:tune", "Search settings on validation alone, on any number of machines."),
    "leaderboard": ("grasp_bench.cli.leaderboard:leaderboard", "Show the board of finished cells."),
    "board": ("grasp_bench.cli.board:board", "Show boards in a browser, with filters (--web)."),
    "report": ("grasp_bench.cli.leaderboard:report", "Write all results of a spec as one HTML file."),
    "compare": ("grasp_bench.cli.leaderboard:compare", "Explain the difference between two methods."),
    "power": ("grasp_bench.cli.leaderboard:power", "Estimate how many seeds a difference needs."),
    "latency": ("grasp_bench.cli.studies:latency", "Time requests of trained cells."),
    "probe": ("grasp_bench.cli.studies:probe", "Predict clicks with and without learned states."),
    "instruct": (
        "grasp_bench.cli.studies:instruct",
        "Ask a language model about each candidate.",
    ),
    "export": ("grasp_bench.cli.export:app", "Export models and data for other tools."),
    "data": ("grasp_bench.cli.data:app", "Prepare public datasets, and print the card of any."),
    "audit": ("grasp_bench.cli.audit:audit", "Show which hypotheses survive a strict protocol."),
    "inspect": ("grasp_bench.cli.inspect:app", "Show texts, neighbours and attention."),
    "store": ("grasp_bench.cli.store:app", "Show, verify and clean the store of artefacts."),
    "ledger": ("grasp_bench.cli.doctor:app", "Recover a damaged ledger of paid answers."),
    "new": ("grasp_bench.cli.new:new", "Write a small package with a backbone or enhancer of your own."),
    "list": ("grasp_bench.cli.components:components", "List every component, its keys and its source."),
    "spec": ("grasp_bench.cli.spec:app", "Print the JSON Schema, or the source of each value."),
    "doctor": ("grasp_bench.cli.doctor:doctor", "Check machine, installation, data and store."),
}
INTERRUPTED = 130
SYSTEM_FAULT = 5


class Commands(typer.core.TyperGroup):
    """A group that imports a command when it is called and prints expected errors as messages."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        placeholders = {
            name: typer.core.TyperCommand(name, help=text) for name, (_, text) in COMMANDS.items()
        }
        self.commands = placeholders  # type: ignore[assignment]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return a command; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        target, text = COMMANDS[cmd_name]
        module, _, attribute = target.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)
        else:
            single = typer.Typer(add_completion=False, rich_markup_mode=None)
            single.command(cmd_name)(found)
            command = typer.main.get_command(single)
        command.name, command.help = cmd_name, command.help or text
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an expected error becomes a message and an exit code."""
        debug = bool(ctx.params.get("debug"))
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            note("interrupted; the same command resumes")
            raise typer.Exit(INTERRUPTED) from None
        except GraspBenchError as error:
            if debug:
                traceback.print_exc()
            raise typer.Exit(report_error(error)) from None
        except OSError as error:
            if debug or error.errno is None:
                raise
            _fail(error)


def _print_version(value: bool) -> None:
    if value:
        say(f"grasp-bench {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    name="grasp-bench",
    add_completion=False,
    rich_markup_mode=None,  # importing rich takes longer than printing the help
    pretty_exceptions_enable=False,  # tracebacks are Python's own and go through the Outlet
    no_args_is_help=True,
)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="GRASP_BENCH_DEBUG", help="Show tracebacks of errors.")
    ] = False,
) -> None:
    """A declarative benchmark harness for LLM-enhanced sequential recommendation."""


def main() -> None:
    """Run the console script; always exits by SystemExit."""
    guard_streams()
    try:
        app(prog_name="grasp-bench")
    except KeyboardInterrupt:  # before or after a command runs
        note("interrupted; the same command resumes")
        sys.exit(INTERRUPTED)
    except OSError as error:
        if error.errno is None:
            raise
        _fail(error)
    finally:
        _write_the_rest()


def _write_the_rest() -> None:
    """Flush stdout while a failure can still be reported."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _fail(error)


def _fail(error: OSError) -> NoReturn:
    note(f"error: {error}")
    raise SystemExit(SYSTEM_FAULT) from None

"""Commands about spec files: `init`, `validate` and `spec`."""

from __future__ import annotations

from importlib.resources import files
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from grasp_bench.cli.options import Overrides, SpecPath, SpecPaths, load_for
from grasp_bench.cli.output import console, note, report_error, say, say_json
from grasp_bench.core.errors import GraspBenchError, MissingFileError
from grasp_bench.core.files import portable_name
from grasp_bench.spec.scalars import resolve

if TYPE_CHECKING:
    from grasp_bench.spec.dataset import Dataset
    from grasp_bench.spec.loading import LoadedSpec


MOST_READ = 256_000_000  # bytes of data that `validate` reads: about ten seconds


def init(
    path: Annotated[
        Path, typer.Argument(metavar="[PATH]", help="File to write, or a folder for starter.yaml.")
    ] = Path("starter.yaml"),
) -> None:
    """Write a commented starter spec that runs on the generated demo dataset.

    An existing file is never overwritten.
    """
    target = path / "starter.yaml" if path.is_dir() else path
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # "x" and not an atomic rename: a second writer must fail.
        with target.open("x", encoding="utf-8") as stream:
            stream.write(starter_text(spec_name(target)))
    except FileExistsError:
        raise GraspBenchError(
            f"{target} exists already", hint="name another file, or delete it first"
        ) from None
    say(f"wrote {target}; next: grasp-bench validate {target}")


def spec_name(path: Path) -> str:
    """Turn a file name into a valid spec name."""
    name = portable_name(path.stem, also="-", longest=80)
    return "starter" if name == "_" else name


def starter_text(name: str) -> str:
    """Return the starter spec with its name and the components that there are, plugins included.

    It runs on the demo dataset.
    """
    from grasp_bench.components import BACKBONES, ENHANCERS
    from grasp_bench.spec.controls import NAMES

    text = files("grasp_bench.spec").joinpath("starter.yaml").read_text(encoding="utf-8")
    written = name if isinstance(resolve(name), str) else f"'{name}'"  # `name: 1` would be a number
    text = text.replace("name: starter", f"name: {written}", 1)
    choices = {
        "backbones": [*BACKBONES, *BACKBONES.offered()],
        "enhancers": [*ENHANCERS, *ENHANCERS.offered()],
        "controls": NAMES,
    }
    for kind, names in choices.items():
        text = text.replace(f"{{{kind}}}", ", ".join(dict.fromkeys(names)), 1)
    return text


def validate(
    specs: SpecPaths,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
) -> None:
    """Check specs and read their data, without running anything; print one line each, or all problems.

    Notes on the data are printed: ids that match nothing, repeated rows, an order that the file decides.
    """
    worst = 0
    seen: set[str] = set()
    for path in specs:
        try:
            loaded = load_for(path, overrides, None)
            experiment = loaded.experiment
            cells, datasets = _count_cells(loaded)
            _read_data(loaded, datasets, seen)
        except GraspBenchError as error:
            worst = max(worst, report_error(error))
        else:
            say(f"ok: {experiment.name}, {cells}")
    if worst:
        raise typer.Exit(worst)


def _count_cells(loaded: LoadedSpec) -> tuple[str, list[Dataset]]:
    """Count the cells of the compiled plan, and return their datasets; without the data, the most cells that
    there can be, and no dataset.
    """
    from grasp_bench.plan.compile import compile_plan
    from grasp_bench.plan.selection import first_seeds
    from grasp_bench.spec.locations import at_its_place

    experiment = loaded.experiment
    try:
        # Files are distinguished by path: hashing their content would take seconds.
        with at_its_place(loaded.tree):
            whole = compile_plan(experiment, str)
    except MissingFileError as error:
        note(f"note: {error.message} (needed to run, not to validate)")
        compared = prod(len(values) for values in experiment.compare.values())
        return f"at most {compared * (1 + len(experiment.ablations)) * len(experiment.all_seeds)} cells", []
    cells, most = len(first_seeds(whole, experiment).cells), len(whole.cells)
    more = f", at most {most} until it is decided" if most > cells else ""
    return f"{cells} cell{'' if cells == 1 else 's'}{more}", [cell.experiment.dataset for cell in whole.cells]


def _read_data(loaded: LoadedSpec, datasets: list[Dataset], seen: set[str]) -> None:
    """Read data as a run would, unless they are large or were `seen` before, and print notes on them."""
    from grasp_bench.spec.locations import at_its_place, locate

    for dataset in datasets:
        key = dataset.model_dump_json()
        if key in seen:
            continue
        seen.add(key)
        located = locate(dataset)
        if located.generated:
            continue
        size = sum(path.stat().st_size for path in located.files.values())
        if size > MOST_READ:
            note(
                f"note: {located.name}: {size / 1e6:,.0f} MB are not read here, but by grasp-bench data card"
            )
            continue
        from grasp_bench.data.card import card_of_dataset

        with at_its_place(loaded.tree):
            found = card_of_dataset(dataset)
        for line in found["warnings"]:
            if line not in seen:
                note(f"note: {line}")
                seen.add(line)


app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of spec files, for editors."""
    from grasp_bench.spec.shape import json_schema

    say_json(json_schema())


@app.command("explain")
def explain(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    output: Annotated[
        Literal["table", "json"], typer.Option("--format", help="Table for people, JSON for programs.")
    ] = "table",
) -> None:
    """Print every resolved value of a spec and its source."""
    from grasp_bench.spec.loading import load, resolved_values

    loaded = load(spec, overrides)
    values = resolved_values(loaded.experiment)
    rows = [(key, value, loaded.sources[key]) for key, value in values.items()]
    if output == "json":
        say_json([{"key": key, "value": value, "source": source} for key, value, source in rows])
    else:
        _print_table(rows)


def _print_table(rows: list[tuple[str, Any, str]]) -> None:
    import json

    from rich.table import Table

    from grasp_bench.core.console import plain

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("key", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("source", overflow="fold")
    for key, value, source in rows:
        style = "dim" if source == "default" else ""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        table.add_row(plain(key, style), plain(text, style), plain(source, style))
    console().print(table)

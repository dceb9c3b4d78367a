"""Commands of studies (`latency`, `probe`, `inspect freshness`), and what all commands of studies share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from grasp_bench.cli import options
from grasp_bench.cli.output import console, note, say_json, say_whole

if TYPE_CHECKING:
    from grasp_bench.core.store import Store
    from grasp_bench.plan.compile import Plan
    from grasp_bench.report.document import Document


@dataclass(frozen=True)
class Inputs:
    """What a study reads: the plan of a spec, the store, and the folder of all results."""

    plan: Plan
    store: Store
    results: Path


StudyFunction = Callable[..., Mapping[str, Any]]


def study_command(name: str, *, published: bool = False) -> Callable[[StudyFunction], Callable[..., None]]:
    """Decorate a function from `Inputs` and options of its own to the findings of the study `name`.

    The command has the shared options, too. It writes `results/<spec>/<name>.json` and
    `leaderboard/<spec>.<name>.md`, and shows the same document. `published`: seeds that may come are those in
    the results, not in the store.

    Example:
        >>> @study_command("probe")
        ... def probe(inputs: Inputs, only: options.OnlyOption = "*") -> Mapping[str, Any]: ...
    """

    def decorate(study: StudyFunction) -> Callable[..., None]:
        @functools.wraps(study)
        def command(**given: Any) -> None:
            from grasp_bench.core.store import Store

            common = {key: given.pop(key) for key in inspect.signature(_shared).parameters}
            spec, store, results = common["spec"], common["store"], common["results"]
            plan = plan_of(spec, common["overrides"], store, results if published else None)
            found = study(Inputs(plan, Store(store), results), **given)
            document = leave(name, found, results, common["leaderboard"])
            display(found, document, common["output"])

        own = list(inspect.signature(study, eval_str=True).parameters.values())[1:]
        *first, output = inspect.signature(_shared, eval_str=True).parameters.values()
        parameters = [*first, *own, output]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        return command

    return decorate


def _shared(
    spec: options.SpecPath,
    overrides: options.Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: options.StorePath = options.DEFAULT_STORE,
    results: options.ResultsPath = options.DEFAULT_RESULTS,
    leaderboard: options.LeaderboardPath = options.DEFAULT_LEADERBOARD,
    output: options.FormatOption = "rich",
) -> None:
    """Options of every study command."""


def plan_of(spec: Path, overrides: list[str], store: Path, results: Path | None = None) -> Plan:
    """Compile the plan of a spec file, without seeds that may be added and are not there yet.

    The store says which are there, or the published study below `results`, where that is given. Hashes of
    files that the store remembers are not computed again.
    """
    from grasp_bench import api
    from grasp_bench.core.store import Store
    from grasp_bench.plan.selection import seeds_begun

    loaded = api.load(spec, overrides)
    whole = api.plan(loaded, store=store)
    if results is None:
        return seeds_begun(whole, loaded.experiment, Store(store))
    from grasp_bench.report.study import read_study

    first = {None, *loaded.experiment.first_seeds}
    published = {cell["slug"] for cell in read_study(results / whole.name).planned or ()}
    return whole.keep(lambda cell: cell.seed in first or cell.slug in published)


def leave(name: str, found: Mapping[str, Any], results: Path, leaderboard: Path) -> Document:
    """Write the findings of a study as JSON and as Markdown, each whole or not at all, and say where.

    Returns their document.
    """
    from grasp_bench.core import atomic, hashing
    from grasp_bench.report.renderers.markdown import document_text
    from grasp_bench.report.studies import STUDIES

    document = STUDIES.get(name).document(found)
    stored, rendered = results / found["spec"] / f"{name}.json", leaderboard / f"{found['spec']}.{name}.md"
    hashing.write(stored, found)
    atomic.write_text(rendered, document_text(document))
    note(f"written: {rendered}, {stored}")
    return document


def display(found: Any, document: Document, output: options.DocumentFormat) -> None:
    """Print findings as JSON, or their document as tables or Markdown."""
    if output == "json":
        from grasp_bench.report.renderers.json_text import as_json

        say_json(as_json(found))
        return
    if output == "md":
        from grasp_bench.report.renderers.markdown import document_text

        say_whole(document_text(document))
        return
    from grasp_bench.report.renderers.terminal import show

    show(document, console())


@study_command("latency")
def latency(
    inputs: Inputs,
    only: options.OnlyOption = "*",
    requests: Annotated[int, typer.Option("--requests", min=2, help="Requests a cell.")] = 300,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads of a request.")] = 1,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Requests at once, for throughput.")] = 64,
    cold: Annotated[
        int, typer.Option("--cold", min=0, help="Fresh processes a cell and path; 0: no cold starts.")
    ] = 5,
) -> Mapping[str, Any]:
    """Time single requests of trained cells, and say whether "under 1 ms extra a request" holds.

    Each cell takes turns with the bare backbone of the same seed, on the same requests: with all of users
    precomputed, with their neighbours searched in the request, and with their text encoded in it.
    """
    from grasp_bench.studies.latency.measure import Measure, measure_latency

    measure = Measure(requests=requests, threads=threads, batch_size=batch, cold=cold)
    return measure_latency(inputs.plan, inputs.plan.only(only), inputs.store, measure, note)


@study_command("probe")
def probe(
    inputs: Inputs,
    only: options.OnlyOption = "*",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which users teach, and which items.")] = 0,
    users: Annotated[int, typer.Option("--users", min=4, help="Users at most, drawn by seed.")] = 50_000,
) -> Mapping[str, Any]:
    """Predict clicks on held-out pairs by logistic regression and a small MLP, with and without states.

    Reads the test targets, as a ranking does; the probes' settings are fixed.
    """
    from grasp_bench.studies.probe.measure import probe_cells

    return probe_cells(inputs.plan, inputs.plan.only(only), inputs.store, note, seed, users)


@study_command("instruction")
def instruct(
    inputs: Inputs,
    only: options.OnlyOption = "*",
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="A model in this process: local/smollm2, …")
    ] = "local/smollm2",
    examples: Annotated[
        str, typer.Option("--examples", metavar="N,N,…", help="Few-shot sizes.")
    ] = "16,64,256",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trainings of each size.")] = 3,
    users: Annotated[int, typer.Option("--users", min=1, help="Users measured on; others teach.")] = 200,
    labels: Annotated[
        Literal["sampled", "ratings"],
        typer.Option("--labels", help="Chosen against drawn items, or liked against disliked ones."),
    ] = "sampled",
    negatives: Annotated[
        int, typer.Option("--negatives", min=1, help="Stored candidates that a target is ranked among.")
    ] = 19,
    history: Annotated[int, typer.Option("--history", min=1, help="Latest titles that are told.")] = 10,
    layers: Annotated[int, typer.Option("--layers", min=1, help="Last layers that LoRA tunes.")] = 8,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the examples.")] = 5,
) -> Mapping[str, Any]:
    """Ask a language model for each candidate whether the user chooses it, untuned and tuned by LoRA.

    The form of TALLRec. AUC on other users, and a ranking among sampled candidates, which belongs on no board
    of full rankings. Reads the test targets, as a ranking does; tuning does not.
    """
    from grasp_bench.studies.instruction.measure import Protocol, measure_instruction
    from grasp_bench.studies.instruction.tuning import Tuning

    sizes = tuple(sorted({int(each) for each in examples.split(",") if each.strip().isdigit()} - {0}))
    if len(sizes) != len(examples.split(",")):
        raise typer.BadParameter(f"'{examples}' is not of the form 16,64", param_hint="--examples")
    protocol = Protocol(
        model, sizes, seeds, users, labels, negatives=negatives, history=history, tuned_layers=layers,
        tuning=Tuning(epochs),
    )  # fmt: skip
    return measure_instruction(inputs.plan.only(only), inputs.store, protocol, note)


@study_command("freshness", published=True)
def freshness(inputs: Inputs) -> Mapping[str, Any]:
    """Set the metric against the age of users' profiles, and against the tokens that rarer ones save."""
    from grasp_bench.studies.freshness.measure import measure_freshness

    return measure_freshness(inputs.plan, inputs.store, inputs.results)

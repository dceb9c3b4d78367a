"""The harness in a few words for notebooks and scripts: results as polars frames.

    import grasp_bench as gb

    gb.run("specs/demo.yaml")
    gb.board("demo").filter(metric="NDCG@10", protocol="full", group="overall", seed="mean")
    gb.compare("grasp", "none", "demo")
    gb.ranks("demo", "*-grasp-*")

Nothing is printed (`run` shows bars in a notebook), no signal handler is installed, nothing exits; errors are
those of `core.errors`. `grasp_bench.api` has the single steps.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import polars as pl

from grasp_bench import api
from grasp_bench.core.errors import UnknownNameError

NUMBERS = {
    "seeds": pl.Int64, "planned_seeds": pl.Int64, "users": pl.Int64, "value": pl.Float64, "sd": pl.Float64,
    "low": pl.Float64, "high": pl.Float64, "published": pl.Float64,
}  # fmt: skip


def cells(
    spec: Path | str, overrides: Sequence[str] = (), *, store: Path | str = api.STORE, only: str = "*"
) -> pl.DataFrame:
    """Return one row for each cell of a spec: what it is, and whether it is finished; run nothing.

    Columns: cell, kind, dataset, backbone, enhancer, ablation, noise, seed, hash, finished.

    Example:
        >>> gb.cells("specs/demo.yaml").group_by("finished").len()
    """
    loaded, store = api.load(spec, overrides), Path(store)
    chosen = api.forecast(loaded, api.plan(loaded, store=store), store=store, only=only)
    done = {cell.hash for cell in chosen.status.done}
    rows = [
        {
            "cell": cell.slug, "kind": cell.kind, "dataset": cell.dataset,
            "backbone": cell.backbone,
            "enhancer": cell.experiment.model.enhancer if cell.name is None else None,
            "ablation": cell.ablation, "noise": None if cell.noise is None else cell.noise.rate,
            "seed": cell.seed, "hash": cell.hash, "finished": cell.hash in done,
        }
        for cell in chosen.chosen.cells
    ]  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None)


def run(spec: Path | str, overrides: Sequence[str] = (), **options: Any) -> api.RunResult:
    """Run what is not finished of a spec; `options` are those of `api.run`, such as `only` and `workers`.

    In a notebook bars show the progress; elsewhere `display="rich"` does. The same call resumes, also after
    the kernel was interrupted.

    Example:
        >>> gb.run("specs/demo.yaml", ["seeds=[1]"], workers=2).outcome.failed
        {}
    """
    loaded = api.load(spec, overrides)
    for key in options.keys() & {"store", "results", "leaderboard"}:
        options[key] = Path(options[key])
    whole = api.plan(loaded, store=options.get("store", api.STORE))
    return api.run(loaded, whole, **options)


def board(
    spec: str | None = None, *, results: Path | str = api.RESULTS, metric: str | None = None
) -> pl.DataFrame:
    """Return a board in long form: one figure a row, fractions in [0, 1].

    `seed` is a seed, or `mean`; `group` is overall, head_user and so on; other columns are those of the CSV
    board (docs/boards.md). `spec` is a name, a file or a results folder; None is the only one in `results`.

    Example:
        >>> gb.board("demo").filter(metric="NDCG@10", seed="mean").pivot("protocol", index="method")
    """
    from grasp_bench.report.document import Document
    from grasp_bench.report.renderers.csv_rows import HEAD, render

    text = render(api.board(spec, results=Path(results), metric=metric), Document("", ()))
    return pl.read_csv(io.StringIO(text), schema={name: NUMBERS.get(name, pl.String) for name in HEAD})


def compare(
    first: str,
    second: str,
    spec: str | None = None,
    *,
    results: Path | str = api.RESULTS,
    metric: str | None = None,
) -> pl.DataFrame:
    """Return `first` less `second`, one row for each protocol and metric, or group.

    Columns: protocol, group, metric, first, second, difference, low, high, p. The interval is that of the
    tested metric, overall and by group; null elsewhere. Users and trainings are crossed
    (docs/honest_numbers.md).

    Example:
        >>> gb.compare("grasp", "none", "demo").filter(metric="NDCG@10", group="overall")
    """
    from grasp_bench.report.comparison_pair import compare_pair
    from grasp_bench.report.locate import find_results

    pair = compare_pair(find_results(spec, Path(results)), first, second, metric)
    rows: list[dict[str, Any]] = []
    for protocol, found in pair["protocols"].items():
        test, tested = found["test"], pair["metric"]
        for each in found["metrics"]:
            of_it = test is not None and each["metric"] == tested
            interval = {"low": test["low"], "high": test["high"]} if of_it else {}
            rows.append({"protocol": protocol, "group": "overall", **each, **interval})
        rows += [{"protocol": protocol, "metric": tested, **each} for each in found["groups"]]
    schema = {
        **dict.fromkeys(("protocol", "group", "metric"), pl.String),
        **dict.fromkeys(("first", "second", "difference", "low", "high", "p"), pl.Float64),
    }
    return pl.DataFrame(rows, schema=schema, infer_schema_length=None)


def ranks(spec: str | None = None, only: str = "*", *, results: Path | str = api.RESULTS) -> pl.DataFrame:
    """Return the ranks of all test targets in the finished cells that the glob `only` chooses.

    Columns: cell, user and item (numbers of the split), and for `sampled` and `full` how many candidates
    score strictly higher (`_better`) and exactly as high (`_tied`): the rank is 1 + better, ties aside.

    Example:
        >>> gb.ranks("demo").group_by("cell").agg((pl.col("full_better") < 10).mean().alias("HR@10"))
    """
    from grasp_bench.report.cells import RANKS_FILE, cell_folders
    from grasp_bench.report.locate import find_results

    folder = find_results(spec, Path(results))
    chosen = [each for each in cell_folders(folder) if fnmatchcase(each.name, only)]
    if not chosen:
        raise UnknownNameError(f"{folder}: no finished cell is called '{only}'", hint="gb.cells lists all")
    return pl.concat(
        [
            pl.read_parquet(each / RANKS_FILE).select(pl.lit(each.name).alias("cell"), pl.all())
            for each in chosen
        ],
        how="diagonal",
    )

"""Harm files of a finished study at random; figures must stay, or an error's hint must bring them back.

    python -m tests.campaign.flipped_bytes --cases 200 --seed 0 [--spec specs/demo.yaml]

Each case harms one file of a copy of the store or the results. A harmed artefact's followers are deleted, so
that `run` has to read it. Exit code 1 if any case ends in other figures, a traceback, or a hint that is none.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from damaged_shop import HARM, Place, figures, finished_study

from grasp_bench.core.integrity import SIDECAR


def main() -> int:
    """Run the cases and print how they ended, by kind of file."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--cases", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--spec", type=Path, help="by default a small shop of precomputed vectors")
    asked = arguments.parse_args()
    rng, ends, bad = random.Random(asked.seed), Counter[tuple[str, str, str]](), []
    with tempfile.TemporaryDirectory() as scratch:
        whole = _whole(asked.spec, Path(scratch))
        said = figures(whole.board())
        for number in range(asked.cases):
            place = whole.copy(Path(scratch) / "case")
            kind, harm, end = _case(place, said, rng)
            ends[kind, harm, end] += 1
            if end.startswith("BAD"):
                bad.append(f"case {number}: {harm} of {kind}: {end}")
                print(bad[-1], flush=True)
            shutil.rmtree(place.folder)
    _print(ends)
    return 1 if bad else 0


def _whole(spec: Path | None, scratch: Path) -> Place:
    if spec is None:
        return finished_study(scratch)
    place = Place(spec.resolve(), scratch / "whole")
    done = place.run()
    assert done.exit_code == 0, done.output
    return place


def _case(place: Place, said: object, rng: random.Random) -> tuple[str, str, str]:
    """Kind of the harmed file, the harm, and how it ended."""
    results = place.results / place.name
    files = [*(place.store.glob("*/*/*")), *results.glob("*"), *results.glob("*/*")]
    kinds: dict[str, list[Path]] = {}
    for path in sorted(files):
        if path.is_file():
            kinds.setdefault(_kind(path, place), []).append(path)
    kind, harm = rng.choice(sorted(kinds)), rng.choice(list(HARM))
    path = rng.choice(kinds[kind])
    stored = place.store in path.parents
    if stored and not (path.name == SIDECAR and harm == "delete"):
        place.forget_what_follows(path.parent)
    HARM[harm](path, rng)
    return kind, harm, _end(place, said, stored)


def _end(place: Place, said: object, stored: bool) -> str:
    shown = place.board()
    if not stored and shown.exit_code == 0 and figures(shown) != said and not _tells(place):
        return "BAD: other figures are shown"
    if shown.exit_code and (shown.exception is None or not isinstance(shown.exception, SystemExit)):
        return f"BAD: {shown.exception!r}"
    done = place.run()
    if done.exit_code:
        return f"BAD: run ends with {done.exit_code}: {done.output[-300:]}"
    if figures(place.board()) != said:
        return "BAD: other figures after run"
    if "found damaged and set aside" in done.output:
        return "set aside and made again"
    return "figures stay" if shown.exit_code == 0 else "error, mended by run"


def _tells(place: Place) -> bool:
    """A board without a study declares nothing, and one without a cell calls it missing."""
    folder = place.results / place.name
    cells = {path.parent.name for path in folder.glob("*/metrics.json")}
    return not (folder / "study.json").is_file() or any(
        not (folder / cell / "cell.json").is_file() for cell in cells
    )


def _kind(path: Path, place: Place) -> str:
    if place.store in path.parents:
        return f"store {path.parent.parent.name}/{path.name}"
    return f"results {path.name if not path.name.startswith('groups') else 'groups'}"


def _print(ends: Counter[tuple[str, str, str]]) -> None:
    columns = sorted({end for _, _, end in ends})
    kinds = sorted({kind for kind, _, _ in ends})
    print(f"{'':45}" + "".join(f"{column[:26]:>28}" for column in columns))
    for kind in kinds:
        counts = [sum(n for (k, _, e), n in ends.items() if (k, e) == (kind, column)) for column in columns]
        print(f"{kind:45}" + "".join(f"{count or '':>28}" for count in counts))
    totals = [sum(n for (_, _, e), n in ends.items() if e == column) for column in columns]
    print(f"{'all':45}" + "".join(f"{count:>28}" for count in totals))


if __name__ == "__main__":
    sys.exit(main())

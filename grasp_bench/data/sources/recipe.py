"""Make a public set of its raw files, as a recipe declares it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import Report, silent
from grasp_bench.data.sources.events import READ, Events
from grasp_bench.data.sources.formats import Format
from grasp_bench.data.sources.listings import Listing
from grasp_bench.data.sources.raw_files import BuiltTables, interactions_table
from grasp_bench.data.sources.rules import EVERY, Rule, apply_rule


@dataclass(frozen=True)
class Recipe:
    """How a set is made: a `Builder`.

    `log`: the first of the set's files, or several members of it one after the other. `events`: which keys
    are an interaction. `items`, `users`: where their texts are.

    Example:
        >>> plays = Delimited(("user", "song", "time"), separator="|")
        >>> songs = Listing("id", {"title": "name"}, ObjectLines(), file=1)
        >>> Recipe((plays,), Events("user", "song", "time", clock=ISO), songs)
    """

    log: tuple[Format, ...]
    events: Events
    items: Listing
    users: Listing | None = None
    rule: Rule = EVERY

    def __call__(self, files: Mapping[str, Path], scratch: Path, report: Report = silent) -> BuiltTables:
        """Build the tables. Raises DataError, with file and line, for what cannot be read."""
        paths, counts = list(files.values()), Counter[str]()
        read = (self.events.reviews(form, paths[0], report, counts) for form in self.log)
        kept = apply_rule(chain.from_iterable(read), self.rule, scratch)
        if kept.users.is_empty():
            raise DataError(
                f"{paths[0]}: of {counts[READ]} interactions none is left by the rule of the published set",
                hint="is this the whole file?",
            )
        if self.rule.rating_above is not None:
            unrated = f"interactions_without_rating_above_{self.rule.rating_above:g}"
            counts[unrated] = kept.read - kept.rated
        wanted = kept.items.unique(maintain_order=True).to_list()
        catalogue = self.items.catalogue(paths[self.items.file], wanted, report)
        items = self.items.table(catalogue, wanted, "item_id")
        counts["items_without_metadata"] = len(wanted) - len(catalogue.texts.keys() & set(wanted))
        if self.items.file or self.items.form not in self.log:  # a log names its items again and again
            counts["items_listed_again"] = catalogue.repeats
        interactions = interactions_table(kept.users, kept.items, kept.ratings, kept.times)
        return BuiltTables(interactions, items, self._users(paths, report), counts)

    def _users(self, paths: list[Path], report: Report) -> pl.DataFrame | None:
        if self.users is None:
            return None
        return self.users.table(self.users.catalogue(paths[self.users.file], (), report), (), "user_id")

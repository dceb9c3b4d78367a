"""Texts from filled prompt templates: the paper's own choice on its public datasets (A.1)."""

from __future__ import annotations

from grasp_bench.core.errors import DataError
from grasp_bench.spec.text import TemplateText
from grasp_bench.text.attributes import Item, read_items, title_of
from grasp_bench.text.subjects import Subjects, Written
from grasp_bench.text.templates import DEFAULT_TEMPLATES, Prompt


class TemplateProvider:
    """Fills one template per entity.

    Item templates see `item`. User templates see `items`, the training part of the history, and
    `titles`, their names (an item without title is called by what else is known of it). Both are
    in the order that the source asks for and cut to the latest `max_items`.

    Raises DataError when a text comes out empty, or when nothing is known of any item.
    """

    def __init__(self, source: TemplateText) -> None:
        self._source = source

    def write(self, subjects: Subjects) -> Written:
        """One text per subject, in their order."""
        prompt = Prompt(self._source.template or DEFAULT_TEMPLATES[subjects.side], subjects.side)
        items = read_items(subjects.items, self._source.missing)
        undescribed = sum(not item.known for item in items)
        if undescribed == len(items):
            raise DataError(
                f"none of the {len(items)} items has a title or any other text",
                mend="add an items file with titles, or use precomputed texts or embeddings",
            )
        texts = (
            self._about_items(prompt, subjects, items)
            if subjects.side == "items"
            else self._about_users(prompt, subjects, items)
        )
        facts = {"template": prompt.name, "items_without_attributes": undescribed}
        if subjects.side == "users":
            facts["without_history"] = sum(len(history) == 0 for history in subjects.histories())
        return Written(texts, facts)

    def _about_items(self, prompt: Prompt, subjects: Subjects, items: list[Item]) -> list[str]:
        return [prompt.fill(name, item=item) for name, item in zip(subjects.ids, items, strict=True)]

    def _about_users(self, prompt: Prompt, subjects: Subjects, items: list[Item]) -> list[str]:
        names = [title_of(item) for item in items]
        texts = []
        for user, history in zip(subjects.ids, subjects.histories(), strict=True):
            seen = history[-self._source.max_items :].tolist()
            if self._source.order == "latest_first":
                seen.reverse()
            titles = [names[k] for k in seen if names[k]] or [self._source.missing]
            texts.append(prompt.fill(user, titles=titles, items=[items[k] for k in seen]))
        return texts

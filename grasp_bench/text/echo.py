"""Tell answers that say something from those that repeat their prompt, or that would fit any entity.

A careless model returns the attributes that it was given, or praise that is true of everything. Both are
fluent, so that no refusal or length gives them away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from grasp_bench.core.words import words_of

Kind = Literal["repeats_prompt", "fits_any"]

# Least share of an answer's distinct words that its prompt does not have, and least share that few other
# texts of the side have. docs/generation.md says what real texts they separate.
LEAST_NEW = 0.25
LEAST_SPECIFIC = 0.1
SAID_OF_MANY = 0.1  # a word in at least this share of texts is said of many
FEWEST_TEXTS = 20  # of fewer, nothing is known of what is said of many


@dataclass(frozen=True)
class EchoCheck:
    """Finds echoes; `many` are the words that many texts of the side have."""

    many: frozenset[str]

    @classmethod
    def among(cls, texts: Iterable[str]) -> EchoCheck:
        """Learn from the side's texts, or a sample of them, which words are said of many."""
        bags = [bag for text in texts if (bag := set(words_of(text)))]
        if len(bags) < FEWEST_TEXTS:
            return cls(frozenset())
        times = Counter(word for bag in bags for word in bag)
        return cls(frozenset(word for word, count in times.items() if count >= SAID_OF_MANY * len(bags)))

    def kind(self, text: str, prompt: str) -> Kind | None:
        """Return what is wrong with an answer; None for one that says something of its entity.

        Example:
            >>> EchoCheck(frozenset()).kind("A rose soap.", "The name is Rose soap.")
            'repeats_prompt'
        """
        said = set(words_of(text))
        if not said:
            return None
        if len(said - set(words_of(prompt))) < LEAST_NEW * len(said):
            return "repeats_prompt"
        return "fits_any" if len(said - self.many) < LEAST_SPECIFIC * len(said) else None

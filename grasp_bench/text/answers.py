"""Classify answers of a language model, and describe a set of texts: lengths, repeats, refusals.

The patterns match how models begin when they do not answer. A refusal speaks of its author and of the task:
"I can't believe how soft it is" is a review, and "Sorry Not Sorry" a lipstick. "Na-PCA cream" and "NA-KD
dress" are products, "NA. The tags say too little" is not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from grasp_bench.core.words import words_of

# The whole answer, without surrounding marks.
NOT_KNOWN = frozenset({
    "na", "n/a", "n.a", "n a", "nan", "none", "null", "nil", "unknown", "not available", "not applicable",
    "no information", "no information available", "no information is available", "no information provided",
    "insufficient information", "not enough information", "insufficient data", "not enough data",
    "无", "暂无", "未知", "不适用", "暂无信息", "没有信息", "信息不足", "无法确定",
})  # fmt: skip
NA_AND_WHY = re.compile(r"(?:NA|N/A)[\"'`*_)\]]*(?:[.:;,]\s|\s*\n|\s+[-–—(])")


def _any(*phrases: str) -> str:
    return f"(?:{'|'.join(phrases)})"


def _opening(*phrases: str) -> re.Pattern[str]:
    """Compile a pattern of any of the phrases, after an optional apology."""
    return re.compile(f"(?:{_SORRY})?{_any(*phrases)}", re.IGNORECASE)


_SELF = _any("i'm", "i am", "we're", "we are")
_SORRY = (
    _any(
        rf"(?:{_SELF} )?(?:so |very |really |deeply )?(?:sorry|afraid)",
        r"(?:my )?(?:sincere )?apologies",
        r"i (?:sincerely )?apologi[sz]e",
        "unfortunately",
        "regrettably",
        "i regret",
    )
    + r"(?: for [^,.;]{1,60})?[\s,.;:!]*(?:but |however,? |that )?"
)

_KNOWLEDGE = r"(?:[\w-]+ ){0,3}(?:information|data|details?|context|knowledge)\b(?! than)"
_TOO_LITTLE = _any("insufficient", "inadequate", "not enough", "not sufficient", "too limited", "too little")
KNOWS_TOO_LITTLE = _opening(
    rf"(?:i|we) (?:currently )?(?:do not|don't) have (?:enough|sufficient|any|access to) {_KNOWLEDGE}",
    rf"(?:i|we) (?:couldn't|could not|can't|cannot) find {_KNOWLEDGE}",
    rf"there(?: is|'s| are|'re) (?:no|{_TOO_LITTLE}) {_KNOWLEDGE}",
    rf"(?:the )?{_KNOWLEDGE}(?: \w+){{0,3}} (?:is|are) {_TOO_LITTLE}",
    rf"(?:no|{_TOO_LITTLE}) (?:information|data|context) (?:is|was|available|provided|given|to|about|on)\b",
    r"(?:this|the) (?:[\w-]+ ){1,3}(?:\"[^\"]{1,80}\" )?is not (?:recogni[sz]|specified|provided)",
)

# Anywhere in the opening: a request for more is not an answer. All phrases were seen in published texts.
ASKS_FOR_MORE = re.compile(
    r"(?:please|(?:could|can) you(?: please)?) (?:provide|specify|share|give|clarify|double-check)\b"
    r"[^.?!]{0,60}\b(?:titles?|names?|information|details?|data|context|input|content|history|descriptions?)\b"
    r"|\bbut (?:there is )?no (?:further |other |more |additional |specific )?(?:information|details?) "
    r"(?:is|are|was) (?:provided|available|given|known)\b",
    re.IGNORECASE,
)

_CANNOT = _any(
    r"(?:can't|cannot|can not|couldn't|won't|will not)(?: be able to)?",
    r"(?:'m| am|'re| are|) ?(?:unable|not able|not allowed|not permitted) to",
    r"(?:'m| am| feel) (?:not comfortable|uncomfortable)(?: with)?",
)
_HARDLY = r"(?: (?:currently|really|simply|directly|therefore|also))*"
_TASK = _any(
    "help", "assist", "provid", r"do\b", "fulfil", "comply", "generat", "creat", "writ", "answer",
    "analy[sz]", "summari[sz]", "determin", "offer", "giv", "complet", "continu", "engag", "discuss",
    "produc", "describ", "mak", "infer", "draw", "conclud", "shar", "respond", "process", "access", "brows",
    "support", "recommend", "participat", "perform", "identify", "speculat", "proceed", "follow", "assess",
    "evaluat", "deduc",
)  # fmt: skip
_TITLE = r"can't help (?:my|your|it|falling|loving)"
_IMPOSSIBLE = _any("not possible", "impossible", "(?:not |in)appropriate")
# Impossible for a user or item; a perfume "impossible to describe" is a text.
_JUDGE = _any(
    "determin", "provid", "conclud", "infer", "generat", "summari[sz]", "analy[sz]", "identify", "draw"
)
_NEGATION = r"\b(?:no|not|cannot|unable|invalid|nonsensical|confusion|misunderstanding|\w+n't)\b"
_MACHINE = r"an? (?:ai|artificial intelligence|(?:large )?language model)(?![-\w])"
REFUSALS = _opening(
    rf"(?!{_TITLE})(?:(?:i|we) ?)?{_HARDLY} ?{_CANNOT}{_HARDLY} {_TASK}",
    r"(?:i|we)(?: must| have to| will| need to|'ll have to|)(?: \w+ly)? (?:decline|refuse)\b",
    rf"as {_MACHINE}[^.]{{0,60}}\bi\b",
    rf"(?:i'm|i am) (?:just |only )?{_MACHINE}",
    rf"it(?: is|'s| would be) {_IMPOSSIBLE} (?:for me to {_TASK}|to {_JUDGE})",
    rf"{_SELF} (?:so |very )?sorry,? but\b",
    r"sorry,? but i\b",
    r"i apologi[sz]e,? but\b",
    rf"(?<=[,.;:!] )(?:but )?(?:the|this|that|your|it|as|there|without)\b[^.!?]{{0,120}}?{_NEGATION}",
    r"(?:this|your|the) (?:request|prompt|query|content) (?:violates|may violate|goes against|cannot be)\b",
    r"(?:非常|很|十分)?(?:抱歉|对不起|遗憾)[，,。！\s]*(?:但|但是)?(?:我|作为|目前|暂时|无法|不能)",
    r"(?:作为(?:一个|一名|一款)?(?:ai|人工智能|语言模型)[^。]{0,20})?我?(?:无法|不能|不便)(?:提供|回答|生成|协助|完成|处理)",
)


Verdict = Literal["text", "na", "empty", "refusal", "over_long", "incomplete", "echo"]  # echo: text/echo.py

OPENING = 300  # characters that decide the class
MARKS = " \t\r\n\"'“”‘’`*_#>[](){}<.,;:!-–—。，；：！「」『』【】（）"


@dataclass(frozen=True)
class ClassifiedAnswer:
    """The class of an answer, and its text without reasoning and outer white space."""

    verdict: Verdict
    text: str


def classify_answer(content: str, finish: str) -> ClassifiedAnswer:
    """Classify an answer by its words and its finish reason (`services.answers.read_chat`).

    A model's reasoning is removed first. The finish reason decides before words: an answer that was cut off
    is over-long even if no text is left.

    Example:
        >>> classify_answer("I'm sorry, but I can't help with that.", "stop").verdict
        'refusal'
    """
    text = without_thoughts(content)
    return ClassifiedAnswer(_verdict(text, finish), text)


def _verdict(text: str, finish: str) -> Verdict:
    if finish in ("refusal", "content_filter"):
        return "refusal"
    if finish == "length":
        return "over_long"
    if finish == "incomplete":
        return "incomplete"
    # Only the beginning counts: later, "sorry" and "unknown" are ordinary words.
    plain = text.replace("’", "'").strip(MARKS)
    opening = _LABEL.sub("", plain[:OPENING]).lstrip(MARKS)
    if not any(character.isalnum() for character in opening):
        return "empty"
    if opening.casefold() in NOT_KNOWN or NA_AND_WHY.match(opening):
        return "na"
    if REFUSALS.match(opening):
        return "refusal"
    return "na" if KNOWS_TOO_LITTLE.match(opening) or ASKS_FOR_MORE.search(opening) else "text"


_LABEL = re.compile(
    r"(?:(?:final|my|the|product|item|user) )?"
    r"(?:answer|output|response|result|introduction|description|summary|profile)"
    r"[\"'*_]*(?::| is:?)[\s\"'*_]+",
    re.IGNORECASE,
)
_MIND = "(?:think|thinking|thought|thoughts|reasoning|reflection)"
_THOUGHTS = (
    re.compile(rf"<({_MIND})>.*?</\1>", re.DOTALL | re.IGNORECASE),
    # Chat templates that open the reasoning themselves leave only its closing mark.
    re.compile(rf"\A.*</{_MIND}>", re.DOTALL | re.IGNORECASE),
    re.compile(rf"<{_MIND}>.*\Z", re.DOTALL | re.IGNORECASE),
)


def without_thoughts(content: str) -> str:
    """Return the answer after `<think>…</think>`; nothing if the reasoning never ends."""
    if "<" in content:  # most answers hold no marks at all
        for pattern in _THOUGHTS:
            content = pattern.sub("", content)
    return content.strip()


QUANTILES = {"min": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "max": 1.0}
SAID_OF_MANY = 0.1  # a word in at least this share of texts is generic
BIGRAM_SAMPLE = 1000  # texts; distinct-2 falls with the size of the sample, so the size is fixed


@dataclass(frozen=True)
class TextStatistics:
    """Counts of one side's texts; lengths and shares are over the `count - empty` that are not blank.

    `repeated` counts texts that another entity has too, `commonest` is the most frequent one. `verdicts`
    counts the classes that the texts would have as answers (`text/answers.py`).

    Two measures of how generic they are, both in [0, 1]:
    `said_of_many`: the mean share of a text's distinct words that at least a tenth of all texts have. Such
    words are without specificity in the sense of Spärck Jones ("A statistical interpretation of term
    specificity", J. Documentation 28, 1972); boilerplate of a template counts, for it is encoded too.
    `distinct_bigrams`: distinct-2 of Li et al. ("A diversity-promoting objective function", NAACL 2016),
    different pairs of neighbouring words over all such pairs, in a sample of 1,000 texts.
    """

    count: int
    empty: int
    distinct: int
    repeated: int
    commonest: tuple[str, int] | None
    verdicts: dict[str, int]
    characters: dict[str, float]
    words: dict[str, float]
    said_of_many: float | None
    distinct_bigrams: float | None


def text_statistics(texts: Sequence[str], seed: int = 0) -> TextStatistics:
    """Describe texts; a value is None when no text has it."""
    said = [text for text in texts if text.strip()]
    times = Counter(said)
    commonest = times.most_common(1)[0] if times else None
    words = [words_of(text) for text in said]
    return TextStatistics(
        count=len(texts),
        empty=len(texts) - len(said),
        distinct=len(times),
        repeated=sum(count for count in times.values() if count > 1),
        commonest=commonest if commonest is not None and commonest[1] > 1 else None,
        verdicts=dict(Counter(classify_answer(text, "stop").verdict for text in texts)),
        characters=_spread([len(text) for text in said]),
        words=_spread([len(text.split()) for text in said]),
        said_of_many=_said_of_many(words),
        distinct_bigrams=_distinct_bigrams(words, seed),
    )


def _spread(lengths: list[int]) -> dict[str, float]:
    if not lengths:
        return {}
    values = np.quantile(lengths, list(QUANTILES.values()))
    return {
        **{name: float(v) for name, v in zip(QUANTILES, values, strict=True)},
        "mean": float(np.mean(lengths)),
    }


def _said_of_many(words: list[list[str]]) -> float | None:
    bags = [set(each) for each in words if each]
    frequency = Counter(word for bag in bags for word in bag)
    # With fewer than 20 texts, a word is common when at least two texts have it.
    many = {word for word, count in frequency.items() if count >= max(SAID_OF_MANY * len(bags), 2)}
    return float(np.mean([len(bag & many) / len(bag) for bag in bags])) if bags else None


def _distinct_bigrams(words: list[list[str]], seed: int) -> float | None:
    chosen = words
    if len(words) > BIGRAM_SAMPLE:
        rows = np.random.default_rng(seed).choice(len(words), BIGRAM_SAMPLE, replace=False)
        chosen = [words[row] for row in rows]
    pairs = [pair for each in chosen for pair in pairwise(each)]
    return len(set(pairs)) / len(pairs) if pairs else None

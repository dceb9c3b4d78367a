"""Answers that are none: in the words of real models, beside texts that only look like them."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from grasp_bench.text.answers import classify_answer

NA = [
    "NA", "na", "N/A", "n.a.", '"NA"', "'N/A'.", "**NA**", "“NA”", "None", "none.", "Unknown.", "[NA]",
    "NULL", "Answer: NA", "**Output:** NA", "Product introduction: NA", "The answer is: NA", "无", "「NA」",
    "> NA", "NA. There is too little to go by.", "NA - the tags say nothing of the product.",
    'NA\n\nThe tag is "x".', '"NA". No details were given.', "N/A (no product information)",
    "Not available", "Insufficient information.", "I don't have enough information to describe this item.",
    "There is not enough information about it.",
    "Unfortunately, there is insufficient information provided to write a description.",
    "The provided product information is insufficient to answer.",
    "No information is available on this item.",
    "The title isn’t clear. Could you please provide the title of the book?",
    "This book is not recognized.", 'The book "shrf" is not provided with a title.',
    '"lmmsws" is not a valid book title. Please provide a valid title for the book.',
    'This book is titled "x" but no further information is available.',
]  # fmt: skip
REFUSALS = [
    "I'm sorry, but I can't help with that request.", "I’m sorry, I cannot assist with that.",
    "Sorry, but I can't provide a profile.", "I can't help with that.",
    "I cannot provide personal opinions.", "I am unable to generate a description of this user.",
    "I'm not able to analyze personal data.", "I apologize, but I cannot create this content.",
    "My apologies, I won't be able to complete this task.",
    "As an AI language model, I do not have access to purchases.",
    "As a large language model, I can't browse.", "Unfortunately, I am unable to assist with this request.",
    "Unable to generate description.", "I must decline to describe this person.",
    "I have to respectfully decline.", "**I'm sorry, but no.**",
    "I'm not comfortable with providing a profile of this user.",
    "This request violates our content policy.",
    "It is not possible for me to determine the user's preferences.", "We cannot process this request.",
    "Unfortunately, the provided title does not correspond to any known book.",
    "Apologies, but the provided title is not understandable.", "很抱歉，我无法提供该用户的画像。",
    "我无法回答这个问题。", "I'm just an AI and have no purchases to look at.",
    '"I cannot fulfill this request."',
]  # fmt: skip
TEXTS = [
    "Can't Help Myself is a novel by Rosie O'Donnell.",
    "It is impossible to describe this perfume: amber, musk, rain.",
    "There is no greater detail than the lace on its sleeves.",
    "Sorry Not Sorry is a lipstick by Revlon.",
    '"Sorry, Wrong Number" is a film noir about an invalid woman.',
    "I can't believe how soft it is, reviewers say of this cream.", "Na-PCA cream for dry skin.",
    "NA-KD dress in black.", "Nature's own shampoo.", "None of the usual additives: a plain soap.",
    "Unknown Pleasures is the debut of Joy Division.", "The user never says sorry for buying lipstick.",
    "A soap. Customers apologize for nothing; I cannot say more.",
    "As an AI-powered toothbrush, it counts strokes.", "I Am Legend is a novel by Richard Matheson.",
    "Nothing but Thieves T-shirt.", "7", "口红，无香料。",
    "The user is not a fan of perfumes and prefers unscented creams.", "Nan's Kitchen: a cookbook.",
    "Without a doubt the best-known mascara.", "Unapologetic by Rihanna is a perfume.",
    "Can't Stop Hair Gel holds all day.", "Cannot be washed off: a waterproof eyeliner.",
    "If the ring does not fit, please give it back within 30 days.", "This soap is not for the face.",
]  # fmt: skip


@pytest.mark.parametrize("answer", NA)
def test_nothing_known(answer: str) -> None:
    assert classify_answer(answer, "stop").verdict == "na"


@pytest.mark.parametrize("answer", REFUSALS)
def test_refusals(answer: str) -> None:
    assert classify_answer(answer, "stop").verdict == "refusal"


@pytest.mark.parametrize("answer", TEXTS)
def test_texts_that_look_alike_are_texts(answer: str) -> None:
    assert classify_answer(f" {answer}\n", "stop") == classify_answer(answer, "stop")
    assert (classify_answer(answer, "stop").verdict, classify_answer(answer, "stop").text) == ("text", answer)


@pytest.mark.parametrize("answer", ["", "  \n", "…", '""', "---", "<think>Long thoughts.</think>\n"])
def test_empty(answer: str) -> None:
    assert classify_answer(answer, "stop").verdict == "empty"


def test_the_reason_to_finish_decides_before_words_do() -> None:
    assert classify_answer("A cream for", "length").verdict == "over_long"
    assert classify_answer("", "length").verdict == "over_long"
    assert classify_answer("A cream.", "content_filter").verdict == "refusal"
    assert classify_answer("", "refusal").verdict == "refusal"
    assert classify_answer("", "tool_calls").verdict == "empty"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("<think>\nNA? No: I can't say NA.\n</think>\n\nA cream.", "A cream."),
        ("the user asked … </think>A cream.", "A cream."),
        ("<THINKING>a</THINKING>A <b>cream</b>.", "A <b>cream</b>."),
        ("<think>one</think><think>two</think>A cream.", "A cream."),
        ("<think>cut off in the middle", ""),
        ("A cream for x < 3 and y > 2.", "A cream for x < 3 and y > 2."),
    ],
)
def test_thoughts_are_taken_off(answer: str, text: str) -> None:
    assert classify_answer(answer, "stop").text == text


def test_thoughts_do_not_hide_a_refusal() -> None:
    assert classify_answer("<think>hm</think> I cannot assist with that.", "stop").verdict == "refusal"
    assert classify_answer("<think>hm</think> NA", "stop").verdict == "na"


def test_published_texts_of_gpt(data_root: Path) -> None:
    """Of the first 4,000 Goodreads descriptions, 13 are none: read by hand, they meet random characters
    as titles with an apology or a question back. Of the profiles none is."""
    table = pl.read_csv(data_root / "goodreads" / "items.csv", infer_schema=False)
    found = [
        text for text in table["description"].head(4000) if classify_answer(text, "stop").verdict != "text"
    ]
    signs = "sorry|unfortunately|apologies|please|unable|cannot|is not|no further|no information"
    assert [text for text in found if not re.search(signs, text, re.IGNORECASE)] == []
    assert len(found) == 13
    profiles = pl.read_ndjson(data_root / "goodreads" / "user_profiles.jsonl")["text"].head(2000)
    assert {classify_answer(text, "stop").verdict for text in profiles} == {"text"}

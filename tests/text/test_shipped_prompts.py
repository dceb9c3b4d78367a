"""The paper's six prompts (A.1), transcribed by hand from the paper with its placeholders filled."""

from __future__ import annotations

import re

import polars as pl
import pytest
from made_up import entities, written

from grasp_bench.text.template_settings import TemplateText
from grasp_bench.text.templates import declared_in, read_template, shipped_templates

VISITED = """
The user has visited the following items: <TITLE_2>, <TITLE_1> please conclude the user's preference.
"""
BEAUTY = """
The beauty item has the following attributes: name is <TITLE>; brand is <BRAND>; price is <PRICE>. The item
has the following features: <FEATURE>. The item has the following descriptions: <DESCRIPTION>.
"""
FASHION = """
The fashion item has the following attributes: name is <TITLE>; brand is <BRAND>; score is <SCORE>; price is
<PRICE>. The item has the following features: <FEATURE>. The item has the following descriptions:
<DESCRIPTION>.
"""
INDUSTRY_ITEM = """
You are an e-commerce product analysis expert, skilled in extracting insights from product data and
providing comprehensive descriptions of items. Your task is to summarize the product based on its tags, core
keywords, personalized recommendation labels, and related categories, paying special attention to modifiers
to craft a detailed product introduction. Rules to follow: 1. The introduction must be thorough and
specific, avoiding overly broad statements. 2. It should cover the product's purpose, features, usage
scenarios, and commonly paired items. 3. If there is insufficient information to answer, output "NA" instead
of fabricating details. Task steps: 1. First, gain a basic understanding of the product based on the
provided product tags, core keywords, personalized recommendation labels, and related categories. 2. Next,
derive details about its purpose, features, usage scenarios, and commonly paired items from this
understanding. 3. Finally, generate a structured output based on the extracted information, ensuring no
repetition. Prioritize accuracy, but also think divergently to ensure both correctness and richness in the
output. Product information: Product tag: <TITLE>, core keyword: <CORE_WORD>, personalized recommendation
tags: <TAGS>, related category info: <COMMODITY_INFO>.
"""
INDUSTRY_USER = """
You are an expert in e-commerce user behavior analysis and skilled in summarizing user profiles based on
their e-commerce activities. The user's birthplace is <BIRTH_CITY>, gender is <GENDER>, age is <AGE>, zodiac
sign is <CONSTELLATION>, current residence is <PROV_NAME><CITY_NAME>, mobile phone brand is <PHONE_BRAND>,
graduated from <PRED_SCHOOL>, occupation type is <PRED_CAREER_TYPE>, education level is
<PRED_EDUCATION_DEGREE>, marital status is <PRED_LIFE_STAGE_MARRIED>, user spending power level is
<USER_PP_LEVEL>, user activity level is <ACTIVITY>, and recent purchase history is <TITLE_2> (category
<CATEGORY_2>, price <PRICE_2>), <TITLE_1> (category <CATEGORY_1>, price <PRICE_1>). Please analyze the
user's personalized preferences according to the following steps and provide a summary: 1. Analyze the
user's regional online shopping behavior preferences based on their personalized characteristics. Assess
potential purchase preferences based on their occupation, education level, and marital status. Evaluate
their spending power and activity level based on attributes such as mobile phone brand, housing price, and
spending power level. 2. Analyze the user's recent product content preferences and acceptable price range
based on the titles, categories, and prices of recently purchased items. 3. Understand the temporal
evolution of the user's preferences by examining the sequence of their recent purchases. 4. Compare the
user's personalized characteristic analysis (Step 1) with their purchasing behavior analysis (Steps 2 and
3), then provide user profile labels and recommendation directions.
"""


def filled(*texts: str) -> dict[str, list[str]]:
    """A column for each placeholder, which holds the placeholder."""
    return {name.lower(): [f"<{name}>"] for text in texts for name in re.findall(r"<([A-Z_]+)>", text)}


ITEM = pl.DataFrame({"item_id": ["a"], **filled(FASHION, INDUSTRY_ITEM)})
BOUGHT = pl.DataFrame(
    {
        "item_id": ["a", "b"],
        **{name: [f"<{name.upper()}_{k}>" for k in (1, 2)] for name in ("title", "category", "price")},
    }
)
USER = pl.DataFrame({"user_id": ["u0"], **filled(INDUSTRY_USER)})


@pytest.mark.parametrize(
    ("name", "text"),
    [("beauty_item", BEAUTY), ("fashion_item", FASHION), ("industry_item", INDUSTRY_ITEM)],
)
def test_items(name: str, text: str) -> None:
    (made,), facts = written(TemplateText(template=name), entities("items", items=ITEM))
    assert " ".join(made.split()) == " ".join(text.split())
    assert facts["absent_columns"] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("beauty_user", VISITED),
        ("fashion_user", VISITED),
        ("visited_items", VISITED),
        ("industry_user", INDUSTRY_USER),
    ],
)
def test_users(name: str, text: str) -> None:
    (made,), facts = written(TemplateText(template=name), entities("users", [[0, 1]], BOUGHT, USER))
    assert " ".join(made.split()) == " ".join(text.split())
    assert facts["absent_columns"] == []


def test_attributes_that_the_data_lack_read_as_missing_and_are_told() -> None:
    (made,), facts = written(
        TemplateText(template="industry_user"), entities("users", [[0]], BOUGHT.drop("price"))
    )
    assert "gender is unknown, age is unknown" in made
    assert "<TITLE_1> (category <CATEGORY_1>, price unknown)" in made
    assert facts["absent_columns"] == [
        "item.price",
        *(f"user.{name}" for name in sorted(filled(INDUSTRY_USER))),
    ]


@pytest.mark.parametrize("name", shipped_templates())
def test_every_shipped_template_declares_its_variables(name: str) -> None:
    assert declared_in(read_template(name))

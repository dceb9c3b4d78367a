"""Public datasets that `grasp-bench data prepare` builds: raw files, terms and sizes.

The data are not part of this project: files are downloaded from their publishers or given by the user.
"""

from __future__ import annotations

import re

from grasp_bench.spec.public_amazon import AMAZON_FAMILIES, AMAZON_SETS
from grasp_bench.spec.public_platforms import GOODREADS_FAMILY, MOVIELENS_SETS, PLATFORM_SETS
from grasp_bench.spec.public_set import Family, PublicSet, RawFile

__all__ = [
    "FAMILIES", "PUBLIC_SETS", "SINGLE_SETS", "Family", "PublicSet", "RawFile", "family_of", "how_to_make",
    "names",
]  # fmt: skip

SINGLE_SETS = (*AMAZON_SETS, *MOVIELENS_SETS, *PLATFORM_SETS)
FAMILIES = (*AMAZON_FAMILIES, GOODREADS_FAMILY)
PUBLIC_SETS = {
    found.name: found
    for found in (*SINGLE_SETS, *(member for family in FAMILIES for member in family.members.values()))
}


def names() -> list[str]:
    """Return the names of all sets, those of a family as one pattern."""
    return [found.name for found in (*SINGLE_SETS, *(family.pattern for family in FAMILIES))]


def family_of(name: str) -> Family | None:
    """Return the family that a name, right or wrong, belongs to by its beginning and end."""
    for family in reversed(FAMILIES):  # a 5-core before the whole: its names begin in the same way
        begin, _, end = re.split("(<.*>)", family.pattern.name)
        if name.startswith(begin) and name.endswith(end):
            return family
    return None


def how_to_make(name: str, where: str, prefix: str = "") -> str:
    """Return instructions for building a missing public set or its texts.

    `where` is the target folder in words; `prefix` is put before the commands.
    """
    found = PUBLIC_SETS[name]
    files = " and ".join(each.name for each in found.files)
    fetched = (
        ""
        if found.by_hand
        else f"""
      {prefix}grasp-bench run SPEC --prepare
          downloads {files}, builds the dataset, and runs"""
    )
    given = f"if you have them: {found.by_hand}" if found.by_hand else "if you have them"
    return f"""\
'{name}' is public and can be built here, by one of{fetched}
      {prefix}grasp-bench data prepare {name} --raw FOLDER
          builds it from {files if found.by_hand else "these files"}, {given}
      grasp-bench run SPEC --dataset demo
          runs the same spec on the generated catalogue, as a test of the installation
    It goes to {where}.
    Sources, terms and sizes: grasp-bench data list. More: docs/data.md"""

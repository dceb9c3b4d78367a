"""Public datasets that `grasp-bench data prepare` builds: raw files, terms and sizes.

The data are not part of this project: files are downloaded from their publishers or given by the user.
"""

from __future__ import annotations

from dataclasses import dataclass

UCSD = "https://datarepo.eng.ucsd.edu/mcauley_group/data/amazon_v2"
SNAP = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles"
GROUPLENS = "https://files.grouplens.org/datasets/movielens"

AMAZON_TERMS = "no licence is stated: research use, cite the publishers' papers"
MOVIELENS_TERMS = "GroupLens' own: no commercial use without permission, cite Harper & Konstan 2015"


@dataclass(frozen=True)
class RawFile:
    """A file of a publisher; `sha256` and `size` (bytes) if they are known and do not change.

    `instead` names another file from which the same set can be built.
    """

    url: str
    content: str
    sha256: str | None = None
    size: int | None = None
    instead: str | None = None

    @property
    def name(self) -> str:
        """Return the last part of the address."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class PublicSet:
    """A dataset under its name in specs.

    `users`, `items` and `interactions` are the published counts; other raw files or rules give other counts.
    """

    name: str
    title: str
    files: tuple[RawFile, ...]
    rule: str
    text: str
    users: int
    items: int
    interactions: int
    terms: str
    homepage: str


_BEAUTY_META = RawFile(f"{SNAP}/meta_Beauty.json.gz", "259,204 products, Python literals")
_BEAUTY_HOME = "https://cseweb.ucsd.edu/~jmcauley/datasets/amazon/links.html"

PUBLIC_SETS = {
    found.name: found
    for found in (
        PublicSet(
            "amazon-fashion",
            "Amazon Fashion, 2018: the Fashion of LLM-ESR and GRASP",
            (
                RawFile(f"{UCSD}/categoryFiles/AMAZON_FASHION.json.gz", "883,636 reviews"),
                RawFile(f"{UCSD}/metaFiles2/meta_AMAZON_FASHION.json.gz", "186,637 products"),
            ),
            "ratings above 0; users with 3 and items with 2 interactions, to a fixed point",
            "title, brand, price, categories, feature, description",
            9_094, 4_722, 34_759, AMAZON_TERMS, "https://nijianmo.github.io/amazon/",
        ),
        PublicSet(
            "amazon-beauty",
            "Amazon Beauty, 2014: the Beauty of SASRec, LLM-ESR and GRASP",
            (RawFile(f"{SNAP}/reviews_Beauty.json.gz", "2,023,070 reviews"), _BEAUTY_META),
            "reviews whose user and item have 5 reviews each, counted once over the whole file",
            "title, brand, price, categories, description",
            52_204, 57_289, 394_908, AMAZON_TERMS, _BEAUTY_HOME,
        ),
        PublicSet(
            "amazon-beauty-5core",
            "Amazon Beauty, 2014, 5-core: the Beauty of S3-Rec and others",
            (
                RawFile(
                    f"{SNAP}/reviews_Beauty_5.json.gz", "198,502 reviews", instead="reviews_Beauty.json.gz"
                ),
                _BEAUTY_META,
            ),
            "users and items with 5 interactions, to a fixed point",
            "title, brand, price, categories, description",
            22_363, 12_101, 198_502, AMAZON_TERMS, _BEAUTY_HOME,
        ),
        PublicSet(
            "movielens-small",
            "MovieLens latest small, 1996-2018",
            (
                RawFile(
                    f"{GROUPLENS}/ml-latest-small.zip", "100,836 ratings",
                    "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436", 978_202,
                ),
            ),
            "every rating", "title, genres",
            610, 9_724, 100_836, MOVIELENS_TERMS, "https://grouplens.org/datasets/movielens/latest/",
        ),
        PublicSet(
            "ml-1m",
            "MovieLens 1M, 2000-2003",
            (
                RawFile(
                    f"{GROUPLENS}/ml-1m.zip", "1,000,209 ratings",
                    "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20", 5_917_549,
                ),
            ),
            "every rating", "title, genres; users: gender, age, occupation",
            6_040, 3_706, 1_000_209, MOVIELENS_TERMS, "https://grouplens.org/datasets/movielens/1m/",
        ),
    )
}  # fmt: skip


def how_to_make(name: str, where: str, prefix: str = "") -> str:
    """Return instructions for building a missing public set or its texts.

    `where` is the target folder in words; `prefix` is put before the commands.
    """
    found = PUBLIC_SETS[name]
    files = " and ".join(each.name for each in found.files)
    return f"""\
'{name}' is public and can be built here, by one of
      {prefix}grasp-bench run SPEC --prepare
          downloads {files}, builds the dataset, and runs
      {prefix}grasp-bench data prepare {name} --raw FOLDER
          builds it from these files, if you have them
      grasp-bench run SPEC --dataset demo
          runs the same spec on the generated catalogue, as a test of the installation
    It goes to {where}.
    Sources, terms and sizes: grasp-bench data list. More: docs/data.md"""

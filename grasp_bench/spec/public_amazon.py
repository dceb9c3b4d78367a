"""Amazon's reviews of 2014, 2018 and 2023, in three famous cuts and in every category."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from grasp_bench.spec.public_set import Family, PublicSet, RawFile

MCAULEY = "https://mcauleylab.ucsd.edu/public_datasets/data"
SNAP = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles"
HOME_2014 = "https://cseweb.ucsd.edu/~jmcauley/datasets/amazon/links.html"
HOME_2018 = "https://nijianmo.github.io/amazon/"
HOME_2023 = "https://amazon-reviews-2023.github.io/"

TERMS = "no licence is stated: research use, cite the publishers' papers"
TEXT_2014 = "title, brand, price, categories, description"
TEXT = "title, brand, price, categories, feature, description"

# Reviews of the complete file and of the published 5-core, from the publishers' page.
REVIEWS_2018 = {
    "AMAZON_FASHION": (883_636, 3_176),
    "All_Beauty": (371_345, 5_269),
    "Appliances": (602_777, 2_277),
    "Arts_Crafts_and_Sewing": (2_875_917, 494_485),
    "Automotive": (7_990_166, 1_711_519),
    "Books": (51_311_621, 27_164_983),
    "CDs_and_Vinyl": (4_543_369, 1_443_755),
    "Cell_Phones_and_Accessories": (10_063_255, 1_128_437),
    "Clothing_Shoes_and_Jewelry": (32_292_099, 11_285_464),
    "Digital_Music": (1_584_082, 169_781),
    "Electronics": (20_994_353, 6_739_590),
    "Gift_Cards": (147_194, 2_972),
    "Grocery_and_Gourmet_Food": (5_074_160, 1_143_860),
    "Home_and_Kitchen": (21_928_568, 6_898_955),
    "Industrial_and_Scientific": (1_758_333, 77_071),
    "Kindle_Store": (5_722_988, 2_222_983),
    "Luxury_Beauty": (574_628, 34_278),
    "Magazine_Subscriptions": (89_689, 2_375),
    "Movies_and_TV": (8_765_568, 3_410_019),
    "Musical_Instruments": (1_512_530, 231_392),
    "Office_Products": (5_581_313, 800_357),
    "Patio_Lawn_and_Garden": (5_236_058, 798_415),
    "Pet_Supplies": (6_542_483, 2_098_325),
    "Prime_Pantry": (471_614, 137_788),
    "Software": (459_436, 12_805),
    "Sports_and_Outdoors": (12_980_837, 2_839_940),
    "Tools_and_Home_Improvement": (9_015_203, 2_070_831),
    "Toys_and_Games": (8_201_231, 1_828_971),
    "Video_Games": (2_565_349, 497_577),
}

# The publishers round most counts of 2023, so few can be compared.
CATEGORIES_2023 = (
    "All_Beauty", "Amazon_Fashion", "Appliances", "Arts_Crafts_and_Sewing", "Automotive", "Baby_Products",
    "Beauty_and_Personal_Care", "Books", "CDs_and_Vinyl", "Cell_Phones_and_Accessories",
    "Clothing_Shoes_and_Jewelry", "Digital_Music", "Electronics", "Gift_Cards", "Grocery_and_Gourmet_Food",
    "Handmade_Products", "Health_and_Household", "Health_and_Personal_Care", "Home_and_Kitchen",
    "Industrial_and_Scientific", "Kindle_Store", "Magazine_Subscriptions", "Movies_and_TV",
    "Musical_Instruments", "Office_Products", "Patio_Lawn_and_Garden", "Pet_Supplies", "Software",
    "Sports_and_Outdoors", "Subscription_Boxes", "Tools_and_Home_Improvement", "Toys_and_Games",
    "Video_Games", "Unknown",
)  # fmt: skip
WITHOUT_5CORE = {
    "Amazon_Fashion", "Appliances", "Digital_Music", "Handmade_Products", "Health_and_Personal_Care",
    "Subscription_Boxes",
}  # fmt: skip
SMALL_5CORES = {
    "All_Beauty": {"users": 253, "items": 356},
    "Gift_Cards": {"users": 377, "items": 129},
    "Magazine_Subscriptions": {"users": 30, "items": 21, "interactions": 176},
}


def _of_2018(category: str) -> PublicSet:
    reviews = REVIEWS_2018.get(category)
    return PublicSet(
        f"amazon-2018-{category}",
        f"Amazon 2018, {category}: every review",
        (_reviews_2018(category), _products_2018(category)),
        "every review of the category",
        TEXT, TERMS, HOME_2018, "amazon-2018",
        {"interactions": reviews[0]} if reviews else {},
    )  # fmt: skip


def _of_2018_5core(category: str) -> PublicSet:
    reviews = REVIEWS_2018.get(category)
    return PublicSet(
        f"amazon-2018-{category}-5core",
        f"Amazon 2018, {category}: the publishers' 5-core",
        (
            RawFile(f"{MCAULEY}/amazon_v2/categoryFilesSmall/{category}_5.json.gz", "reviews"),
            _products_2018(category),
        ),
        "every review of the published 5-core, as it is",
        TEXT, TERMS, HOME_2018, "amazon-2018",
        {"interactions": reviews[1]} if reviews else {},
    )  # fmt: skip


def _reviews_2018(category: str) -> RawFile:
    return RawFile(f"{MCAULEY}/amazon_v2/categoryFiles/{category}.json.gz", "reviews")


def _products_2018(category: str) -> RawFile:
    return RawFile(f"{MCAULEY}/amazon_v2/metaFiles2/meta_{category}.json.gz", "products")


def _of_2023(category: str) -> PublicSet:
    return PublicSet(
        f"amazon-2023-{category}",
        f"Amazon 2023, {category}: the publishers' 0-core",
        _files_2023(category, "0core"),
        "every user's earliest review of each product (parent_asin)",
        TEXT, TERMS, HOME_2023, "amazon-2023",
    )  # fmt: skip


def _of_2023_5core(category: str) -> PublicSet:
    return PublicSet(
        f"amazon-2023-{category}-5core",
        f"Amazon 2023, {category}: the publishers' 5-core",
        _files_2023(category, "5core"),
        "as the 0-core; users and items with 5 interactions, to a fixed point",
        TEXT, TERMS, HOME_2023, "amazon-2023-5core",
        SMALL_5CORES.get(category, {}),
    )  # fmt: skip


def _files_2023(category: str, core: str) -> tuple[RawFile, RawFile]:
    return (
        RawFile(
            f"{MCAULEY}/amazon_2023/benchmark/{core}/rating_only/{category}.csv.gz", "ratings without texts",
            instead=f"{category}.jsonl.gz", folder=f"amazon-2023-{core}",
        ),
        RawFile(f"{MCAULEY}/amazon_2023/raw/meta_categories/meta_{category}.jsonl.gz", "products"),
    )  # fmt: skip


def _family(made: Callable[[str], PublicSet], categories: Iterable[str]) -> Family:
    return Family(made("<Category>"), {category: made(category) for category in categories})


AMAZON_FAMILIES = (
    _family(_of_2018, REVIEWS_2018),
    _family(_of_2018_5core, REVIEWS_2018),
    _family(_of_2023, CATEGORIES_2023),
    _family(_of_2023_5core, [each for each in CATEGORIES_2023 if each not in WITHOUT_5CORE]),
)

_BEAUTY_META = RawFile(f"{SNAP}/meta_Beauty.json.gz", "259,204 products, Python literals")

AMAZON_SETS = (
    PublicSet(
        "amazon-fashion",
        "Amazon Fashion, 2018: the Fashion of LLM-ESR and GRASP",
        (_reviews_2018("AMAZON_FASHION"), _products_2018("AMAZON_FASHION")),
        "ratings above 0; users with 3 and items with 2 interactions, to a fixed point",
        TEXT, TERMS, HOME_2018, "amazon-fashion",
        {"users": 9_094, "items": 4_722, "interactions": 34_759},
    ),
    PublicSet(
        "amazon-beauty",
        "Amazon Beauty, 2014: the Beauty of SASRec, LLM-ESR and GRASP",
        (RawFile(f"{SNAP}/reviews_Beauty.json.gz", "2,023,070 reviews"), _BEAUTY_META),
        "reviews whose user and item have 5 reviews each, counted once over the whole file",
        TEXT_2014, TERMS, HOME_2014, "amazon-beauty",
        {"users": 52_204, "items": 57_289, "interactions": 394_908},
    ),
    PublicSet(
        "amazon-beauty-5core",
        "Amazon Beauty, 2014, 5-core: the Beauty of S3-Rec and others",
        (
            RawFile(f"{SNAP}/reviews_Beauty_5.json.gz", "198,502 reviews", instead="reviews_Beauty.json.gz"),
            _BEAUTY_META,
        ),
        "users and items with 5 interactions, to a fixed point",
        TEXT_2014, TERMS, HOME_2014, "amazon-beauty-5core",
        {"users": 22_363, "items": 12_101, "interactions": 198_502},
    ),
)  # fmt: skip

"""Public sets of films, games, places, music, books and videos."""

from __future__ import annotations

from grasp_bench.spec.public_set import Family, PublicSet, RawFile

GROUPLENS = "https://files.grouplens.org/datasets/movielens"
GOODREADS = "https://mcauleylab.ucsd.edu/public_datasets/gdrive/goodreads/byGenre"
STEAM = "https://cseweb.ucsd.edu/~wckang"

MOVIELENS_TERMS = "GroupLens' own: no commercial use without permission, cite Harper & Konstan 2015"


def _movielens(
    name: str, title: str, archive: RawFile, counts: dict[str, int], users: str = "", page: str = ""
) -> PublicSet:
    return PublicSet(
        name, f"MovieLens {title}", (archive,), "every rating", f"title, genres{users}", MOVIELENS_TERMS,
        f"https://grouplens.org/datasets/movielens/{page or name.removeprefix('ml-')}/", name, counts,
    )  # fmt: skip


def _zip(name: str, content: str, sha256: str | None = None, size: int | None = None) -> RawFile:
    return RawFile(f"{GROUPLENS}/{name}.zip", content, sha256, size)


MOVIELENS_SETS = (
    _movielens(
        "movielens-small", "latest small, 1996-2018",
        _zip("ml-latest-small", "100,836 ratings",
             "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436", 978_202),
        {"users": 610, "items": 9_724, "interactions": 100_836},
        page="latest",
    ),
    _movielens(
        "ml-100k", "100K, 1997-1998", _zip("ml-100k", "100,000 ratings"),
        {"users": 943, "items": 1_682, "interactions": 100_000},
        "; users: gender, age, occupation",
    ),
    _movielens(
        "ml-1m", "1M, 2000-2003",
        _zip("ml-1m", "1,000,209 ratings",
             "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20", 5_917_549),
        {"users": 6_040, "items": 3_706, "interactions": 1_000_209},
        "; users: gender, age, occupation",
    ),
    _movielens(
        "ml-20m", "20M, 1995-2015", _zip("ml-20m", "20,000,263 ratings"),
        {"users": 138_493, "items": 26_744, "interactions": 20_000_263},
    ),
    _movielens(
        "ml-25m", "25M, 1995-2019", _zip("ml-25m", "25,000,095 ratings"),
        {"users": 162_541, "items": 59_047, "interactions": 25_000_095},
    ),
    _movielens(
        "ml-32m", "32M, 1995-2023", _zip("ml-32m", "32,000,204 ratings"),
        {"users": 200_948, "interactions": 32_000_204},
    ),
)  # fmt: skip


def _steam(name: str, title: str, rule: str, counts: dict[str, int]) -> PublicSet:
    return PublicSet(
        name, f"Steam, 2010-2018: {title}",
        (
            RawFile(f"{STEAM}/steam_reviews.json.gz", "7,793,069 reviews, Python literals"),
            RawFile(f"{STEAM}/steam_games.json.gz", "32,135 games, Python literals"),
        ),
        rule, "title, developer, publisher, genres, tags, features, price, release_date",
        "no licence is stated: research use, cite Kang & McAuley 2018",
        "https://cseweb.ucsd.edu/~jmcauley/datasets.html#steam_data", name, counts,
    )  # fmt: skip


PLATFORM_SETS = (
    _steam(
        "steam", "the Steam of SASRec",
        "reviews whose user name and game have 5 reviews each, counted once over the whole file",
        {"users": 334_730, "items": 13_047},
    ),
    _steam(
        "steam-all", "every review", "every review, users by name",
        {"users": 2_567_538, "items": 15_474, "interactions": 7_793_069},
    ),
    PublicSet(
        "yelp",
        "Yelp Open Dataset, edition of 2022",
        (
            RawFile("yelp_academic_dataset_review.json", "6,990,280 reviews", instead="yelp_dataset.tar"),
            RawFile("yelp_academic_dataset_business.json", "150,346 places", instead="yelp_dataset.tar"),
        ),
        "every review",
        "title, categories, address, city, state",
        "Yelp's own: academic use, no passing on; they must be accepted on Yelp's page",
        "https://business.yelp.com/data/resources/open-dataset/", "yelp",
        {"items": 150_346, "interactions": 6_990_280},
        by_hand="accept the terms at https://business.yelp.com/data/resources/open-dataset/, download there, "
        "unpack to yelp_dataset.tar or to its JSON files, and give their folder with --raw",
    ),
    PublicSet(
        "lastfm-1k",
        "Last.fm 1K, 2005-2009: whole listening histories",
        (RawFile("http://mtg.upf.edu/static/datasets/last.fm/lastfm-dataset-1K.tar.gz", "19,150,868 plays"),),
        "every play of a track that has a MusicBrainz id",
        "title, artist; users: gender, age, country",
        "Last.fm's own: non-commercial use, cite Celma 2010",
        "http://ocelma.net/MusicRecommendationDataset/lastfm-1K.html", "lastfm-1k",
        {"interactions_read": 19_150_868},
    ),
    PublicSet(
        "gowalla",
        "Gowalla, 2009-2010: check-ins",
        (RawFile("https://snap.stanford.edu/data/loc-gowalla_totalCheckins.txt.gz", "6,442,892 check-ins"),),
        "every check-in",
        "none but latitude and longitude",
        "no licence is stated: research use, cite Cho, Myers & Leskovec 2011",
        "https://snap.stanford.edu/data/loc-gowalla.html", "gowalla",
        {"users": 107_092, "items": 1_280_969, "interactions": 6_442_892},
    ),
    PublicSet(
        "kuairand-1k",
        "KuaiRand-1K, 2022: videos shown by the platform's own policy",
        (RawFile("https://zenodo.org/records/10439422/files/KuaiRand-1K.tar.gz", "11,713,045 impressions"),),
        "clicked videos (is_click) of both standard logs, users by the order of the logs",
        "no titles: author, kind, upload, tags (numbers)",
        "CC BY-SA 4.0, cite Gao et al. 2022",
        "https://kuairand.com/", "kuairand-1k",
        {"interactions_read": 11_713_045},
    ),
)  # fmt: skip

# Interactions of the complete file of a genre, from the publishers' page.
SHELVED = {
    "children": 10_059_349, "comics_graphic": 7_347_630, "fantasy_paranormal": 55_397_550,
    "history_biography": 31_479_229, "mystery_thriller_crime": 24_799_896, "poetry": 2_734_350,
    "romance": 42_792_856, "young_adult": 34_919_254,
}  # fmt: skip


def _goodreads(genre: str) -> PublicSet:
    return PublicSet(
        f"goodreads-{genre}",
        f"Goodreads, {genre}: books that were read",
        (
            RawFile(f"{GOODREADS}/goodreads_interactions_{genre}.json.gz", "books on shelves"),
            RawFile(f"{GOODREADS}/goodreads_books_{genre}.json.gz", "books"),
        ),
        "books that were read (is_read), by the time they were shelved (date_added); rating 0: not rated",
        "title, shelves, publisher, year, format, pages, language, description",
        "academic use only, no passing on, cite Wan & McAuley 2018",
        "https://cseweb.ucsd.edu/~jmcauley/datasets/goodreads.html", "goodreads",
        {"interactions_read": SHELVED[genre]} if genre in SHELVED else {},
    )  # fmt: skip


GOODREADS_FAMILY = Family(_goodreads("<genre>"), {genre: _goodreads(genre) for genre in SHELVED})

"""Recipes of the MovieLens sets: every rating, each user's in the order of time."""

from __future__ import annotations

from grasp_bench.data.sources.events import DIGITS, Events
from grasp_bench.data.sources.formats import Delimited, Record
from grasp_bench.data.sources.listings import Listing
from grasp_bench.data.sources.recipe import Recipe

NO_GENRES = "(no genres listed)"

# The codes of ml-1m's users.dat, from its README; occupation 0 is "other or not specified".
GENDERS = {"F": "female", "M": "male"}
AGES = {
    "1": "under 18", "18": "18-24", "25": "25-34", "35": "35-44", "45": "45-49", "50": "50-55",
    "56": "56 or older",
}  # fmt: skip
OCCUPATIONS = (
    "", "academic or educator", "artist", "clerical or admin", "college or grad student", "customer service",
    "doctor or health care", "executive or managerial", "farmer", "homemaker", "K-12 student", "lawyer",
    "programmer", "retired", "sales or marketing", "scientist", "self-employed", "technician or engineer",
    "tradesman or craftsman", "unemployed", "writer",
)  # fmt: skip
# The last nineteen fields of ml-100k's u.item, 1 or 0, from its README; the first is "unknown".
FLAGS = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip

RATINGS = ("userId", "movieId", "rating", "timestamp")
MOVIES = ("movieId", "title", "genres")
USERS_1M = ("userId", "gender", "age", "occupation", "zip")
FILMS_100K = ("movieId", "title", "released", "on_video", "imdb", *FLAGS)
USERS_100K = ("userId", "age", "gender", "occupation", "zip")

EVENTS = Events("userId", "movieId", "timestamp", "rating", clock=DIGITS)


def _title(record: Record) -> str:
    return str(record["title"])  # as published, letter by letter


def _genres(record: Record) -> str:
    return "" if record["genres"] == NO_GENRES else str(record["genres"])  # apart by | as published


def _flagged(record: Record) -> str:
    return "|".join(genre for genre in FLAGS[1:] if record[genre] == "1")


def _gender(record: Record) -> str:
    return GENDERS.get(record["gender"], "")


def _age(record: Record) -> str:
    return AGES.get(record["age"], "")


def _occupation(record: Record) -> str:
    code = record["occupation"]
    return OCCUPATIONS[int(code)] if code.isdecimal() and int(code) < len(OCCUPATIONS) else ""


def _in_csv(folder: str) -> Recipe:
    """Editions since 2015: ratings.csv and movies.csv, UTF-8."""
    ratings = Delimited(header=RATINGS, member=f"{folder}/ratings.csv")
    movies = Delimited(header=MOVIES, member=f"{folder}/movies.csv")
    return Recipe(
        (ratings,), EVENTS, Listing("movieId", {"title": _title, "genres": _genres}, movies, rows="listed")
    )


def _latin(member: str, names: tuple[str, ...], separator: str) -> Delimited:
    return Delimited(names, separator=separator, encoding="latin-1", member=member)


latest_small = _in_csv("ml-latest-small")
ml_20m, ml_25m, ml_32m = _in_csv("ml-20m"), _in_csv("ml-25m"), _in_csv("ml-32m")
one_million = Recipe(
    (_latin("ml-1m/ratings.dat", RATINGS, "::"),),
    EVENTS,
    Listing(
        "movieId", {"title": _title, "genres": _genres}, _latin("ml-1m/movies.dat", MOVIES, "::"),
        rows="listed",
    ),
    Listing(
        "userId", {"gender": _gender, "age": _age, "occupation": _occupation},
        _latin("ml-1m/users.dat", USERS_1M, "::"), rows="listed",
    ),
)  # fmt: skip
hundred_thousand = Recipe(
    (_latin("ml-100k/u.data", RATINGS, "\t"),),
    EVENTS,
    Listing(
        "movieId", {"title": _title, "genres": _flagged}, _latin("ml-100k/u.item", FILMS_100K, "|"),
        rows="listed",
    ),
    Listing(
        "userId", {"gender": _gender, "age": "age", "occupation": "occupation"},
        _latin("ml-100k/u.user", USERS_100K, "|"), rows="listed",
    ),
)  # fmt: skip

"""Recipes of Steam, Yelp, Gowalla, Last.fm, Goodreads and KuaiRand.

Columns that count or average feedback (stars, sentiment, numbers of reviews) are left out: they contain the
interactions that are held out.
"""

from __future__ import annotations

from grasp_bench.data.sources.events import DIGITS, ENGLISH, ISO, Events, any_name
from grasp_bench.data.sources.formats import Delimited, ObjectLines, Record
from grasp_bench.data.sources.listings import Listing, clean, joined
from grasp_bench.data.sources.recipe import Recipe
from grasp_bench.data.sources.rules import Rule

# Steam: the 2018 crawl of SASRec (Kang & McAuley, ICDM 2018), whose rule the smaller set has.

_PLAYED = Events(
    "username", "product_id", "date", clock=ISO, user_as=any_name, may_lack=("username", "product_id")
)


def _game(record: Record) -> str:
    return clean(record.get("app_name")) or clean(record.get("title"))


_GAMES = Listing(
    "id",
    {
        "title": _game, "developer": "developer", "publisher": "publisher", "genres": "genres",
        "tags": "tags", "features": "specs", "price": "price", "release_date": "release_date",
    },
    ObjectLines(), file=1,
)  # fmt: skip

steam = Recipe((ObjectLines(),), _PLAYED, _GAMES, rule=Rule(min_user=5, min_item=5, core="single_pass"))
steam_all = Recipe((ObjectLines(),), _PLAYED, _GAMES)


# Yelp: one JSON file each, in a tar file or beside each other.

yelp = Recipe(
    (ObjectLines("yelp_academic_dataset_review.json"),),
    Events("user_id", "business_id", "date", "stars", clock=ISO),
    Listing(
        "business_id",
        {"title": "name", "categories": "categories", "address": "address", "city": "city", "state": "state"},
        ObjectLines("yelp_academic_dataset_business.json"), file=1,
    ),
)  # fmt: skip


# Gowalla: check-ins, which hold all that is known of a place.

_CHECKINS = Delimited(("user", "time", "latitude", "longitude", "location"), separator="\t")
gowalla = Recipe(
    (_CHECKINS,),
    Events("user", "location", "time", clock=ISO),
    Listing("location", {"latitude": "latitude", "longitude": "longitude"}, _CHECKINS),
)


# Last.fm: plays, which name artist and track. Tracks without a MusicBrainz id cannot be told apart.

_PLAYS = Delimited(
    ("userid", "timestamp", "artist_id", "artist", "track_id", "track"),
    separator="\t",
    member="lastfm-dataset-1K/userid-timestamp-artid-artname-traid-traname.tsv",
)


def _gender(record: Record) -> str:
    return {"f": "female", "m": "male"}.get(record["gender"], "")


lastfm_1k = Recipe(
    (_PLAYS,),
    Events("userid", "track_id", "timestamp", clock=ISO, may_lack=("track_id",)),
    Listing("track_id", {"title": "track", "artist": "artist"}, _PLAYS),
    Listing(
        "#id", {"gender": _gender, "age": "age", "country": "country"},
        Delimited(header=("#id", "gender", "age", "country"), separator="\t",
                  member="lastfm-dataset-1K/userid-profile.tsv"),
        rows="listed",
    ),
)  # fmt: skip


# Goodreads: books on users' shelves; those that were read count.


# Shelves that tell of the reader and not of the book.
_OWN = frozenset({"to-read", "currently-reading", "favorites", "owned", "books-i-own", "default", "to-buy"})


def _shelves(record: Record) -> str:
    """The five most used shelves, which readers name as they like."""
    listed = record.get("popular_shelves")
    names = [each.get("name") for each in listed] if isinstance(listed, list) else []
    return joined([name for name in names if name not in _OWN][:5])


goodreads = Recipe(
    (ObjectLines(),),
    Events("user_id", "book_id", "date_added", "rating", clock=ENGLISH, only="is_read"),
    Listing(
        "book_id",
        {
            "title": "title", "shelves": _shelves, "publisher": "publisher", "year": "publication_year",
            "format": "format", "pages": "num_pages", "language": "language_code",
            "description": "description",
        },
        ObjectLines(), file=1,
    ),
)  # fmt: skip


# KuaiRand-1K (Gao et al., CIKM 2022): videos that the platform's own policy showed; clicked ones count.


def _standard(days: str, odd_lines: int = 0) -> Delimited:
    return Delimited(
        header=("user_id", "video_id", "time_ms", "is_click"),
        member=f"KuaiRand-1K/data/log_standard_{days}_1k.csv",
        odd_lines=odd_lines,
    )


kuairand_1k = Recipe(
    (_standard("4_08_to_4_21", odd_lines=1), _standard("4_22_to_5_08")),
    Events("user_id", "video_id", "time_ms", clock=DIGITS, only="is_click"),
    Listing(
        "video_id",
        {"author": "author_id", "kind": "video_type", "upload": "upload_type", "tags": "tag"},
        Delimited(
            header=("video_id", "author_id", "video_type", "upload_type", "tag"),
            member="KuaiRand-1K/data/video_features_basic_1k.csv",
        ),
    ),
)

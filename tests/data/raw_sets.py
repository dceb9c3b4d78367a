"""Small raw files of every public set, in the formats of their publishers."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from raw_files import Review, review_2014, review_2018

from grasp_bench.spec.public_set import PublicSet


@dataclass(frozen=True)
class Sample:
    """Texts by `file` or `archive!member`; what is made of them; a damage, and what is said of it.

    `rows` are the interactions as "user item time", `item` is the first item's row, without empty texts.
    """

    texts: Mapping[str, str]
    rows: list[str]
    item: Mapping[str, str]
    damage: tuple[str, str, str]
    encoding: str = "utf-8"

    def files(self, damaged: bool = False) -> dict[str, bytes]:
        """Pack the texts as their names say; damage the text that can be damaged."""
        archives: dict[str, dict[str, bytes]] = {}
        files = {}
        for name, text in self.texts.items():
            content = (text.replace(*self.damage[:2], 1) if damaged else text).encode(self.encoding)
            archive, _, member = name.partition("!")
            if member:
                archives.setdefault(archive, {})[member] = content
            else:
                files[name] = gzip.compress(content) if name.endswith(".gz") else content
        return files | {name: _packed(name, members) for name, members in archives.items()}


def _packed(name: str, members: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        return packed.getvalue()
    with tarfile.open(fileobj=packed, mode="w:gz" if name.endswith("gz") else "w") as archive:
        for member, content in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def _lines(records: list[dict[str, Any]], write: Callable[[Any], str] = json.dumps) -> str:
    return "".join(f"{write(record)}\n" for record in records)


def _unicode_literal(record: dict[str, Any]) -> str:
    """As Python 2 wrote it: u'...' for text."""
    texts = {key: f"u{value!r}" if isinstance(value, str) else repr(value) for key, value in record.items()}
    return "{" + ", ".join(f"u{key!r}: {value}" for key, value in texts.items()) + "}"


# Five users and five items, each with each; the last is a repeat.
DENSE: list[Review] = [(f"A{user}", f"B{item}", 5.0, 100 + item) for user in range(5) for item in range(5)]
DENSE_ROWS = [f"{user} {item} {time}" for user, item, _, time in DENSE]
SPARSE: list[Review] = [*DENSE[:7], ("A9", "B1", 2.0, 50)]
SPARSE_ROWS = [*DENSE_ROWS[:7], "A9 B1 50"]
PRODUCT = {"asin": "B0", "title": "Soap &amp; brush", "price": "$5.00", "category": ["Beauty", "Hair"]}
PRODUCT_ROW = {"item_id": "B0", "title": "Soap & brush", "price": "$5.00", "categories": "Beauty > Hair"}
BAD_TIME = ('"unixReviewTime": 101', '"unixReviewTime": "x"', ":2: unixReviewTime is 'x', not whole seconds")


def _amazon(
    reviews: list[Review], rows: list[str], review: Callable[[Review], dict[str, Any]]
) -> Callable[[PublicSet], Sample]:
    def sample(public: PublicSet) -> Sample:
        old = review is review_2014
        first, second = (raw.name for raw in public.files)
        product = {**PRODUCT, "categories": [["Beauty", "Hair"]]} if old else PRODUCT
        texts = {
            first: _lines(list(map(review, reviews))),
            second: _lines([product], repr if old else json.dumps),
        }
        return Sample(texts, rows, {**PRODUCT_ROW, "categories": "Hair"} if old else PRODUCT_ROW, BAD_TIME)

    return sample


def _amazon_2023(reviews: list[Review], rows: list[str]) -> Callable[[PublicSet], Sample]:
    def sample(public: PublicSet) -> Sample:
        first, second = (raw.name for raw in public.files)
        table = "user_id,parent_asin,rating,timestamp\n" + "".join(
            f"{user},{item},{rating},{1588615855000 + time}\n" for user, item, rating, time in reviews
        )
        product = {
            "main_category": "All Beauty", "title": "Soap", "average_rating": 4.8, "rating_number": 10,
            "features": ["Soft", "Pink"], "description": [], "price": 5.99, "images": [], "videos": [],
            "store": "Howard", "categories": ["Hair"], "details": {}, "parent_asin": "B0",
        }  # fmt: skip
        item = {
            "item_id": "B0", "title": "Soap", "brand": "Howard", "price": "5.99", "categories": "Hair",
            "feature": "Soft, Pink",
        }  # fmt: skip
        moved = [f"{user} {item} {1588615855000 + int(time)}" for user, item, time in map(str.split, rows)]
        damage = ("A0,B1,5.0", "A0,B 1,5.0", ":3: parent_asin is 'B 1', not an id")
        return Sample({first: table, second: _lines([product])}, moved, item, damage)

    return sample


def _movielens_csv(public: PublicSet) -> Sample:
    archive = public.files[0].name
    folder = archive.removesuffix(".zip")
    return Sample(
        {
            f"{archive}!{folder}/ratings.csv": "userId,movieId,rating,timestamp\r\n"
            "1,2,3.5,9\r\n1,7,4.0,8\r\n",
            f"{archive}!{folder}/movies.csv": 'movieId,title,genres\r\n7,"X, The (1995)",Drama|War\r\n',
        },
        ["1 7 8", "1 2 9"],
        {"item_id": "7", "title": "X, The (1995)", "genres": "Drama|War"},
        ("7,4.0,8", "7,4.0,soon", f"{folder}/ratings.csv:3: timestamp is 'soon', not a whole number"),
    )


def _ml_1m(public: PublicSet) -> Sample:
    return Sample(
        {
            "ml-1m.zip!ml-1m/users.dat": "1::F::1::10::48067\n",
            "ml-1m.zip!ml-1m/movies.dat": "1::Misérables, Les (1995)::Drama|Musical\n",
            "ml-1m.zip!ml-1m/ratings.dat": "1::1::5::978300760\n",
        },
        ["1 1 978300760"],
        {"item_id": "1", "title": "Misérables, Les (1995)", "genres": "Drama|Musical"},
        ("1::1::5::978300760", "1::1::5", "ml-1m/ratings.dat:1: 3 fields where 4 are expected"),
        encoding="latin-1",
    )


def _ml_100k(public: PublicSet) -> Sample:
    flags = "0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0"
    return Sample(
        {
            "ml-100k.zip!ml-100k/u.data": "196\t1\t3\t881250949\n22\t1\t1\t878887116\n",
            "ml-100k.zip!ml-100k/u.item": f"1|Misérables (1995)|01-Jan-1995||http://us.imdb.com/?x|{flags}\n",
            "ml-100k.zip!ml-100k/u.user": "196|49|M|writer|55105\n",
        },
        ["196 1 881250949", "22 1 878887116"],
        {"item_id": "1", "title": "Misérables (1995)", "genres": "Animation|Children's|Comedy"},
        ("22\t1\t1\t", "22\t1\tgood\t", "ml-100k/u.data:2: rating is 'good', not a number"),
        encoding="latin-1",
    )


def _steam(users: int, rows: list[str]) -> Callable[[PublicSet], Sample]:
    reviews = [
        {
            "username": f"Me & {user}", "hours": 0.6, "products": 64, "product_id": f"{item}",
            "page_order": 0, "date": f"2017-12-{item:02d}", "text": "It's u'product_id': u'7'", "page": 1,
            "early_access": False, "user_id": "76561198007483075",
        }
        for user in range(users) for item in range(1, 6)
    ]  # fmt: skip
    games = [
        {
            "publisher": "Kotoshiro",
            "genres": ["Action", "Indie"],
            "app_name": "Lost",
            "id": "1",
            "price": 4.99,
        },
        {"app_name": "Never played", "id": "99"},
    ]
    item = {
        "item_id": "1", "title": "Lost", "publisher": "Kotoshiro", "genres": "Action, Indie", "price": "4.99",
    }  # fmt: skip
    nameless = {**reviews[0], "username": ""}
    return lambda public: Sample(
        {
            "steam_reviews.json.gz": _lines([*reviews, nameless], _unicode_literal),
            "steam_games.json.gz": _lines(games, _unicode_literal),
        },
        rows,
        item,
        ("u'2017-12-02'", "u'yesterday'", ":2: date is 'yesterday', not an ISO date or time"),
    )


DECEMBER = 1512086400  # midnight of 1 December 2017
STEAM_ROWS = [f"Me%20&%20{user} {day + 1} {DECEMBER + 86400 * day}" for user in range(5) for day in range(5)]


def _yelp(public: PublicSet) -> Sample:
    review = {
        "review_id": "r", "user_id": "mh_-eMZ6K5RLWhZyISBhwA", "business_id": "XQfwVwDr", "stars": 3.0,
        "useful": 0, "funny": 0, "cool": 0, "text": "If \"business_id\"", "date": "2018-07-07 22:09:11",
    }  # fmt: skip
    place = {
        "business_id": "XQfwVwDr", "name": "Abby", "address": "1 St", "city": "Tucson", "state": "AZ",
        "stars": 5.0, "review_count": 7, "categories": "Doctors, Health", "hours": None,
    }  # fmt: skip
    return Sample(
        {
            "yelp_academic_dataset_review.json": _lines([review]),
            "yelp_academic_dataset_business.json": _lines([place]),
        },
        ["mh_-eMZ6K5RLWhZyISBhwA XQfwVwDr 1531001351"],
        {
            "item_id": "XQfwVwDr", "title": "Abby", "categories": "Doctors, Health", "address": "1 St",
            "city": "Tucson", "state": "AZ",
        },
        ('"stars": 3.0', '"stars": "three"', ":1: stars is 'three', not a number"),
    )  # fmt: skip


def _lastfm(public: PublicSet) -> Sample:
    plays = [
        'user_000001\t2009-05-04T23:08:57Z\tf1b1cf71\tDeep "Dish\tt1\tFuck Me Im Famous',
        "user_000001\t2009-05-04T13:54:10Z\ta7f7df4a\t坂本龍一\t\tComposition 0919",
        "user_000001\t2009-05-04T13:52:04Z\ta7f7df4a\t坂本龍一\tt2\tMc2",
    ]
    archive = "lastfm-dataset-1K.tar.gz!lastfm-dataset-1K"
    return Sample(
        {
            f"{archive}/README.txt": "Version 1.0",
            f"{archive}/userid-timestamp-artid-artname-traid-traname.tsv": "\n".join(plays) + "\n",
            f"{archive}/userid-profile.tsv": "#id\tgender\tage\tcountry\tregistered\n"
            "user_000001\tm\t\tJapan\tAug 13, 2006\n",
        },
        ["user_000001 t2 1241445124", "user_000001 t1 1241478537"],
        {"item_id": "t2", "title": "Mc2", "artist": "坂本龍一"},
        ("2009-05-04T13:52:04Z", "13:52", "traname.tsv:3: timestamp is '13:52', not an ISO date or time"),
    )  # fmt: skip


def _gowalla(public: PublicSet) -> Sample:
    checkins = (
        "0\t2010-10-19T23:55:27Z\t30.2359091167\t-97.7951395833\t22847\n"
        "0\t2010-10-18T22:17:43Z\t30.2691029532\t-97.7493953705\t420315\n"
    )
    return Sample(
        {"loc-gowalla_totalCheckins.txt.gz": checkins},
        ["0 420315 1287440263", "0 22847 1287532527"],
        {"item_id": "420315", "latitude": "30.2691029532", "longitude": "-97.7493953705"},
        ("\t420315\n", "\n", "Checkins.txt.gz:2: 4 fields where 5 are expected"),
    )


def _goodreads(public: PublicSet) -> Sample:
    shelved = {
        "user_id": "8842281e1d1347389f2ab93d60773d4d", "book_id": "23310161", "review_id": "f4b4b050",
        "is_read": True, "rating": 4, "review_text_incomplete": "", "read_at": "", "started_at": "",
        "date_added": "Fri Nov 17 11:37:35 -0800 2017", "date_updated": "Sat Nov 18 11:37:35 -0800 2017",
    }  # fmt: skip
    book = {
        "isbn": "",
        "popular_shelves": [{"count": "3", "name": "to-read"}, {"count": "2", "name": "picture-books"}],
        "book_id": "23310161", "title": "The Day", "description": "A\nbook",
        "num_pages": "32", "publisher": "",
        "average_rating": "4.4", "authors": [{"author_id": "1", "role": ""}], "publication_year": "2015",
    }  # fmt: skip
    first, second = (raw.name for raw in public.files)
    return Sample(
        {first: _lines([shelved, {**shelved, "book_id": "7", "is_read": False}]), second: _lines([book])},
        ["8842281e1d1347389f2ab93d60773d4d 23310161 1510947455"],
        {
            "item_id": "23310161", "title": "The Day", "shelves": "picture-books", "year": "2015",
            "pages": "32", "description": "A book",
        },
        ("Fri Nov 17", "Fri Brumaire 17", "not a date such as 'Fri Dec 01"),
    )  # fmt: skip


def _kuairand(public: PublicSet) -> Sample:
    head = "user_id,video_id,date,hourmin,time_ms,is_click,is_like\n"
    data = "KuaiRand-1K.tar.gz!KuaiRand-1K/data"
    return Sample(
        {
            f"{data}/log_standard_4_08_to_4_21_1k.csv": head
            + "0,3784,20220411,1500,1649661446111,1,0\n0,99,20220411,1500,1649661447111,0,0\n0,12\n",
            f"{data}/log_standard_4_22_to_5_08_1k.csv": head + "0,3,20220422,100,1650556800222,1,1\n",
            f"{data}/video_features_basic_1k.csv": "video_id,author_id,video_type,upload_type,tag\n"
            "3784,88,NORMAL,Web,\"12,65\"\n5,1,AD,Web,1\n",
        },
        ["0 3784 1649661446111", "0 3 1650556800222"],
        {"item_id": "3784", "author": "88", "kind": "NORMAL", "upload": "Web", "tags": "12,65"},
        ("0,3,20220422", "0,20220422", "4_22_to_5_08_1k.csv:2: 6 fields where 7 are expected"),
    )  # fmt: skip


SAMPLES: dict[str, Callable[[PublicSet], Sample]] = {
    "amazon-fashion": _amazon(DENSE, DENSE_ROWS, review_2018),
    "amazon-beauty": _amazon([*DENSE, SPARSE[-1]], DENSE_ROWS, review_2014),
    "amazon-beauty-5core": _amazon([*DENSE, SPARSE[-1]], DENSE_ROWS, review_2014),
    "amazon-2018": _amazon(SPARSE, SPARSE_ROWS, review_2018),
    "amazon-2023": _amazon_2023([*SPARSE, ("A0", "B0", 1.0, 900)], SPARSE_ROWS),
    "amazon-2023-5core": _amazon_2023([*DENSE, SPARSE[-1]], DENSE_ROWS),
    "movielens-small": _movielens_csv,
    "ml-100k": _ml_100k,
    "ml-1m": _ml_1m,
    "ml-20m": _movielens_csv,
    "ml-25m": _movielens_csv,
    "ml-32m": _movielens_csv,
    "steam": _steam(5, STEAM_ROWS),
    "steam-all": _steam(1, STEAM_ROWS[:5]),
    "yelp": _yelp,
    "lastfm-1k": _lastfm,
    "gowalla": _gowalla,
    "goodreads": _goodreads,
    "kuairand-1k": _kuairand,
}

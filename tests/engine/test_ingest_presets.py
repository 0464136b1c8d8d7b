"""Known data sets, each as a few made-up rows of exactly the form in which it is handed out."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from engine.cli import app
from engine.dataset import Dataset
from engine.errors import DataError, MappingError
from engine.ingest.presets import PRESETS, Shelf, ingest_preset, preset_named
from engine.ingest.presets.instacart import order_times
from engine.ingest.presets.retailrocket import category_paths

JPEG = b"\xff\xd8\xff\xe0 a picture, for all that is asked here"
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def read(tmp_path):
    """Ingest files given as text, bytes or frames, by path, with a preset."""

    def run(preset, files):
        source = tmp_path / "source"
        for name, content in files.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, pl.DataFrame):
                content.write_parquet(path)
            elif name.endswith(".gz"):
                path.write_bytes(gzip.compress(content.encode()))
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        report = ingest_preset(preset_named(preset), source, tmp_path / "out", now=NOW)
        return Dataset.open(tmp_path / "out"), report

    return run


def rejects(dataset):
    frame = pl.read_parquet(dataset.folder / "rejects.parquet")
    told = frame.select("table", "file", "line", "reason").iter_rows()
    return [(table, Path(file).name, line, reason) for table, file, line, reason in told]


def events(dataset, *columns):
    return list(dataset.events.select(columns or ("user_id", "item_id", "kind")).iter_rows())


def at(*when):
    return datetime(*when, tzinfo=UTC)


def attributes(pairs):
    return {pair["key"]: pair["value"] for pair in pairs}


def no_scratch_left(folder):
    return {path.name for path in folder.parent.iterdir()} == {"source", "out"}


# --- the data sets


def test_online_retail_in_both_its_csv_forms(read):
    head = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    iso = head + "536365,85123a,WHITE HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"
    iso += "C536379,D,Discount,-1,2010-12-01 09:41:00,27.50,14527.0,United Kingdom\n"
    dataset, _ = read("online-retail", {"Online Retail.csv": iso})
    assert events(dataset) == [("17850", "85123A", "purchase")]
    assert dataset.items["title"].to_list() == ["White Heart"]
    assert rejects(dataset) == [("events", "Online Retail.csv", 3, "cancelled invoice")]


def test_online_retail_from_kaggle_has_american_dates_and_western_letters(read):
    text = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    text += "536365,85123A,CAFÉ SIGN,6,7/1/2011 8:26,2.55,17850,United Kingdom\n"
    dataset, _ = read("online-retail", {"data.csv": text.encode("cp1252")})
    # July is summer time in London.
    assert events(dataset, "timestamp") == [(at(2011, 7, 1, 7, 26),)]
    assert dataset.items["title"].to_list() == ["Café Sign"]


MOVIES = {
    "movies.csv": "movieId,title,genres\n1,Toy Story (1995),Adventure|Animation\n"
    '2,"American President, The (1995)",(no genres listed)\n',
    "ratings.csv": "userId,movieId,rating,timestamp\n7,1,4.5,1112486027\n7,9,3.0,1112486030\n",
}


def test_movielens_with_a_folder_of_posters(read):
    dataset, _ = read("movielens", {**MOVIES, "posters/1.png": JPEG})
    assert events(dataset) == [("7", "1", "rating")]
    assert dataset.events["value"].to_list() == [4.5]
    titles = ["Toy Story (1995)", "American President, The (1995)"]
    assert dataset.items["title"].to_list() == titles
    assert dataset.items["categories"].to_list() == [["Adventure"], []]
    assert attributes(dataset.items["attributes"][0]) == {"decade": "1990s"}
    assert dataset.triples["tail"].to_list() == ["Adventure", "Animation"]
    assert dataset.items["image"].to_list() == ["pictures/1.png", None]
    assert (dataset.folder / "pictures" / "1.png").read_bytes() == JPEG
    assert rejects(dataset) == [("events", "ratings.csv", 3, "unknown item")]


def test_movielens_with_posters_in_a_column(read):
    films = pl.DataFrame(
        {
            "movieId": [1, 2],
            "title": ["Toy Story (1995)", "Heat"],
            "genres": ["Comedy", "Crime"],
            "poster": [JPEG, None],
        }
    )
    ratings = pl.DataFrame(
        {"user_id": [7], "movie_id": [2], "rating": [5.0], "timestamp": [1112486027]}
    )
    files = {"movies_items.parquet": films, "movies_ratings.parquet": ratings}
    dataset, _ = read("movielens", files)
    assert events(dataset) == [("7", "2", "rating")]
    assert dataset.items["image"].to_list() == ["pictures/1.jpg", None]
    assert (dataset.folder / "pictures" / "1.jpg").read_bytes() == JPEG
    assert no_scratch_left(dataset.folder)


def test_movielens_of_older_days(read):
    dataset, _ = read(
        "movielens",
        {
            "movies.dat": "1::Misérables, Les (1995)::Drama|Musical\n".encode("latin-1"),
            "ratings.dat": "7::1::5::978300760\n7::1::five::978300760\nbroken\n",
        },
    )
    assert dataset.items["title"].to_list() == ["Misérables, Les (1995)"]
    assert events(dataset, "timestamp", "value") == [(at(2000, 12, 31, 22, 12, 40), 5.0)]
    told = {(line, reason) for _, _, line, reason in rejects(dataset)}
    assert told == {(2, "value is not a number"), (3, "empty item_id")}


def test_movielens_10m_is_utf_8(read):
    films = "1::Misérables, Les (1995)::Drama\n2::Åsa-Nisse (1949)::Children's|Comedy\n"
    ratings = "7::1::4.5::978300760\r\n7::2::0.5::978300761\r\n"
    dataset, _ = read("movielens", {"movies.dat": films, "ratings.dat": ratings})
    assert dataset.items["title"].to_list() == ["Misérables, Les (1995)", "Åsa-Nisse (1949)"]
    assert dataset.triples["tail"].to_list() == ["Drama", "Children's", "Comedy"]
    assert events(dataset, "item_id", "value") == [("1", 4.5), ("2", 0.5)]


def test_movielens_100k(read):
    flags = "|".join("1" if place in (4, 8) else "0" for place in range(19))
    film = f"1|Shanghai Triad (1995)|01-Jan-1995||http://x|{flags}\n"
    dataset, _ = read("movielens", {"u.item": film, "u.data": "196\t1\t3\t881250949\n"})
    assert events(dataset) == [("196", "1", "rating")]
    assert dataset.triples["tail"].to_list() == ["Children's", "Drama"]


def test_amazon_2014_writes_its_products_in_pythons_notation(read):
    review = {"reviewerID": "A1", "asin": "B1", "overall": 5.0, "unixReviewTime": 1405209600}
    product = {
        "asin": "B1",
        "title": "Comb &amp; Brush",
        "price": 9.9,
        "imUrl": "http://x/1.jpg",
        "categories": [["Beauty", "Hair Care"]],
        "related": {"also_bought": ["B2"]},
    }
    untitled = {"asin": "B2", "description": "it's"}
    meta = f"{product!r}\n{untitled!r}\n__import__('os').getcwd()\n"
    dataset, _ = read(
        "amazon-2014",
        {"reviews_Beauty_5.json.gz": json.dumps(review) + "\n", "meta_Beauty.json.gz": meta},
    )
    assert events(dataset, "user_id", "item_id", "kind", "timestamp") == [
        ("A1", "B1", "rating", at(2014, 7, 13))
    ]
    columns = ("item_id", "title", "categories", "price", "image")
    assert list(dataset.items.select(columns).iter_rows()) == [
        ("B1", "Comb & Brush", ["Beauty", "Hair Care"], 9.9, "http://x/1.jpg"),
        ("B2", "B2", [], None, None),
    ]
    assert rejects(dataset) == [("items", "meta_Beauty.json.gz", 3, "empty item_id")]


def test_amazon_2018_with_a_category_that_begins_like_the_products(read):
    review = {"reviewerID": "A1", "asin": "B1", "overall": 4.0, "unixReviewTime": 1405209600}
    product = {
        "asin": "B1",
        "title": "Violin",
        "category": ["Musical Instruments", "Strings"],
        "brand": "Acme",
        "price": "$1,012.99",
        "imageURLHighRes": ["http://x/1.jpg", "http://x/2.jpg"],
        "description": ["Small.", "Brown."],
    }
    page = {"asin": "B2", "title": "var aPageStart = (new Date()).getTime();"}
    dataset, _ = read(
        "amazon-2018",
        {
            "Musical_Instruments_5.json": json.dumps(review),
            "meta_Musical_Instruments.json": f"{json.dumps(product)}\n{json.dumps(page)}\n",
        },
    )
    assert events(dataset, "item_id", "value") == [("B1", 4.0)]
    [row] = dataset.items.to_dicts()
    assert (row["price"], row["brand"], row["description"]) == (1012.99, "Acme", "Small. Brown.")
    assert (row["image"], row["images"]) == ("http://x/1.jpg", ["http://x/2.jpg"])
    assert [reason for *_, reason in rejects(dataset)] == ["a page's code for a title"]


def test_amazon_2023_counts_variants_as_one_item(read):
    reviews = [
        {
            "rating": 5.0,
            "asin": asin,
            "parent_asin": "P",
            "user_id": user,
            "timestamp": 1588687728923,
        }
        for asin, user in (("V1", "A"), ("V2", "B"))
    ]
    product = {
        "parent_asin": "P",
        "title": "Soap",
        "main_category": "All Beauty",
        "categories": [],
        "store": "Acme",
        "price": None,
        "images": [{"thumb": "http://x/t.jpg", "large": "http://x/l.jpg"}],
    }
    dataset, _ = read(
        "amazon-2023",
        {
            "All_Beauty.jsonl.gz": "".join(f"{json.dumps(review)}\n" for review in reviews),
            "meta_All_Beauty.jsonl": json.dumps(product),
        },
    )
    assert events(dataset) == [("A", "P", "rating"), ("B", "P", "rating")]
    assert dataset.events["timestamp"][0] == at(2020, 5, 5, 14, 8, 48, 923000)
    [row] = dataset.items.to_dicts()
    assert (row["categories"], row["brand"]) == (["All Beauty"], "Acme")
    assert row["image"] == "http://x/l.jpg"


def test_amazon_reviews_alone_name_their_items_by_id(read):
    review = {"rating": 5, "parent_asin": "P", "user_id": "A", "timestamp": 1588687728923}
    dataset, report = read("amazon-2023", {"All_Beauty.jsonl": json.dumps(review)})
    assert dataset.items["title"].to_list() == ["P"]
    assert report.table("items").gathered


AMAZON_RATINGS = {
    "amazon-2014": ("ratings_Beauty.csv", "A39HTATAQ9V7YF,0205616461,5.0,1369699200\n"),
    "amazon-2018": ("All_Beauty.csv", "0205616461,A39HTATAQ9V7YF,5.0,1369699200\n"),
    "amazon-2023": (
        "All_Beauty.csv.gz",
        "user_id,parent_asin,rating,timestamp\nA39HTATAQ9V7YF,0205616461,5.0,1369699200000\n",
    ),
}


@pytest.mark.parametrize("preset", AMAZON_RATINGS)
def test_amazon_ratings_have_another_order_of_columns_each_year(read, preset):
    name, rows = AMAZON_RATINGS[preset]
    dataset, _ = read(preset, {name: rows})
    assert events(dataset, "user_id", "item_id", "kind", "value", "timestamp") == [
        ("A39HTATAQ9V7YF", "0205616461", "rating", 5.0, at(2013, 5, 28))
    ]


def test_amazon_ratings_with_products(read):
    name, rows = AMAZON_RATINGS["amazon-2014"]
    product = {"asin": "0205616461", "title": "Soap"}
    dataset, _ = read("amazon-2014", {name: rows, "meta_Beauty.json": f"{product!r}\n"})
    assert dataset.items["title"].to_list() == ["Soap"]
    assert events(dataset) == [("A39HTATAQ9V7YF", "0205616461", "rating")]


def test_amazon_ratings_of_another_year_are_turned_away(read):
    old, new = (AMAZON_RATINGS[year][1] for year in ("amazon-2014", "amazon-2018"))
    dataset, _ = read("amazon-2018", {"Mixed.csv": new + old})
    assert events(dataset, "item_id") == [("0205616461",)]
    [(_, _, line, reason)] = rejects(dataset)
    assert (line, reason) == (2, "too long for the id of a product")


def test_amazon_ids_as_numbers_with_attributes(read):
    dataset, _ = read(
        "amazon-2014",
        {
            "amazon_toys_events.parquet": pl.DataFrame(
                {"user_id": [1], "item_id": [7], "timestamp": [1318896000]}
            ),
            "amazon_toys_attributes.parquet": pl.DataFrame(
                {"item_id": [7, 7], "attribute_id": [1, 2]}
            ),
        },
    )
    assert events(dataset, "user_id", "timestamp") == [("1", at(2011, 10, 18))]
    assert dataset.triples["tail"].to_list() == ["attribute 1", "attribute 2"]


def test_fashion_turns_away_the_lines_with_a_comma_too_many(read):
    head = "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,"
    row = "15970,Men,Apparel,Topwear,Shirts,Navy Blue,Fall,2011,Casual,Check Shirt"
    dataset, _ = read(
        "fashion",
        {
            "styles.csv": f"{head}productDisplayName\n{row}\n{row.replace('15970', '1')}, Red\n",
            "images/15970.jpg": JPEG,
        },
    )
    [item] = dataset.items.to_dicts()
    assert item["categories"] == ["Apparel", "Topwear", "Shirts"]
    assert attributes(item["attributes"])["baseColour"] == "Navy Blue"
    assert item["image"] == "pictures/15970.jpg"
    assert rejects(dataset) == [("items", "styles.csv", 3, "wrong number of cells")]


STYLE = {
    "gender": "Men",
    "masterCategory": "Apparel",
    "subCategory": "Topwear",
    "articleType": "Shirts",
    "baseColour": "Navy Blue",
    "season": "Fall",
    "usage": "Casual",
    "productDisplayName": "Check Shirt",
}


def fashion_shard(*rows):
    """A shard as Hugging Face hands it out: id, year (a float) and photo, the rest of STYLE."""
    table = [
        {"id": item_id, "year": year, "image": {"bytes": content, "path": None}, **STYLE}
        for item_id, year, content in rows
    ]
    photo = pl.Struct({"bytes": pl.Binary, "path": pl.String})
    return pl.DataFrame(table, schema_overrides={"year": pl.Float64, "image": photo})


@pytest.mark.parametrize("folder", ["", "data/"])
def test_fashion_from_hugging_face_has_shards_with_photos_in_a_struct(read, folder):
    dataset, report = read(
        "fashion",
        {
            "README.md": "---\nlicense: mit\n---\n",
            f"{folder}train-00000-of-00002-6cff4c59f91661c3.parquet": fashion_shard(
                (15970, 2011.0, JPEG), (39386, None, b"<html>not found</html>")
            ),
            f"{folder}train-00001-of-00002-bb459e5ac5f01e71.parquet": fashion_shard(
                (15970, 2012.0, JPEG + b"later"),
                (59263, 2016.0, b"\x89PNG\r\n\x1a\n"),
                (1, 2012.0, None),
            ),
        },
    )
    images = dict(dataset.items.select("item_id", "image").iter_rows())
    assert images == {
        "15970": "pictures/15970.jpg",
        "39386": None,
        "59263": "pictures/59263.png",
        "1": None,
    }
    assert (dataset.folder / "pictures" / "15970.jpg").read_bytes() == JPEG
    first = dataset.items.row(0, named=True)
    assert (first["title"], first["categories"]) == (
        "Check Shirt",
        ["Apparel", "Topwear", "Shirts"],
    )
    facts = attributes(first["attributes"])
    assert (facts["year"], facts["baseColour"]) == ("2011", "Navy Blue")
    assert "year" not in attributes(dataset.items["attributes"][1])
    first_shard, second_shard = (
        "train-00000-of-00002-6cff4c59f91661c3.parquet",
        "train-00001-of-00002-bb459e5ac5f01e71.parquet",
    )
    assert rejects(dataset) == [
        ("items", second_shard, 1, "duplicate item_id"),
        ("pictures", first_shard, 2, "neither JPEG nor PNG nor WebP"),
    ]
    account = report.table("pictures")
    assert (account.read, account.kept, account.rejected) == (3, 2, 1)
    assert no_scratch_left(dataset.folder)


def test_fashion_from_hugging_faces_converter_is_read_too(read):
    dataset, _ = read("fashion", {"0000.parquet": fashion_shard((15970, 2011.0, JPEG))})
    assert dataset.items["image"].to_list() == ["pictures/15970.jpg"]


def test_a_damaged_shard_is_named(read):
    with pytest.raises(DataError, match=r"train-00000-of-00001\.parquet cannot be read"):
        read("fashion", {"data/train-00000-of-00001.parquet": b"PAR1 and no more"})


ARTICLES = pl.DataFrame(
    {
        "article_id": ["0108775015"],
        "prod_name": ["Strap top"],
        "detail_desc": ["Jersey top."],
        "index_group_name": ["Ladieswear"],
        "product_group_name": ["Garment Upper body"],
        "product_type_name": ["Vest top"],
        "colour_group_name": ["Black"],
        "graphical_appearance_name": ["Solid"],
        "garment_group_name": ["Jersey Basic"],
        "section_name": ["Womens Everyday Basics"],
        "department_name": ["Jersey Basic"],
    }
)


def test_hm_keeps_the_zeros_of_its_ids(read):
    dataset, _ = read(
        "hm",
        {
            "articles.csv": ARTICLES.write_csv(),
            "transactions_train.csv": "t_dat,customer_id,article_id,price,sales_channel_id\n"
            "2018-09-20,c1,0108775015,0.05,2\n2018-09-20,c1,0663713001,0.03,2\n",
            "customers.csv": "customer_id,FN,Active,club_member_status,fashion_news_frequency,"
            "age,postal_code\nc1,,,ACTIVE,NONE,49.0,52043ee\n",
            "images/010/0108775015.jpg": JPEG,
        },
    )
    assert events(dataset, "item_id", "session_id", "place") == [("0108775015", "2018-09-20", "2")]
    assert dataset.items["image"].to_list() == ["pictures/0108775015.jpg"]
    facts = attributes(dataset.users["attributes"][0])
    assert facts == {
        "age": "49.0", "club_member_status": "ACTIVE", "fashion_news_frequency": "NONE"
    }  # fmt: skip
    assert rejects(dataset) == [("events", "transactions_train.csv", 3, "unknown item")]


def test_hm_articles_alone(read):
    articles = ARTICLES.with_columns(image=pl.lit(JPEG))
    dataset, _ = read("hm", {"hm.parquet": articles})
    assert dataset.items["image"].to_list() == ["pictures/0108775015.jpg"]
    assert dataset.events.is_empty()


def test_ikea_rooms_are_facts(read):
    products = {
        "item_id": ["802.538.09", "1"],
        "name": ["KURA", "X"],
        "type": ["Reversible bed", None],
        "color": ["White,pine", ""],
        "size": ["90x200 cm", ""],
        "description": ["Converts.", ""],
    }
    dataset, _ = read(
        "ikea",
        {
            "ikea_products.parquet": pl.DataFrame({**products, "image": [JPEG, b"?"]}),
            "ikea_room_items.parquet": pl.DataFrame(
                {"room": ["room-1", "room-1"], "item_id": ["802.538.09", "9"]}
            ),
            "ikea_rooms.parquet": pl.DataFrame({"room": ["room-1"], "room_type": ["Kitchen"]}),
        },
    )
    assert dataset.items["title"].to_list() == ["KURA reversible bed", "X"]
    assert dataset.items["categories"].to_list() == [["Reversible bed"], []]
    assert dataset.items["image"].to_list() == ["pictures/802.538.09.jpg", None]
    assert list(dataset.triples.select("head", "relation", "tail").iter_rows()) == [
        ("item:802.538.09", "stands_in", "room-1"),
        ("room-1", "is_a", "Kitchen"),
    ]
    assert rejects(dataset) == [
        ("triples", "ikea_room_items.parquet", 2, "unknown item"),
        ("pictures", "ikea_products.parquet", 2, "neither JPEG nor PNG nor WebP"),
    ]


def test_ikea_photos_lie_in_a_folder_of_each_category_as_they_are_downloaded(read):
    products = "item_id,name,type,color,size,description\n" + "".join(
        f"{item_id},KURA,Bed,White,90x200 cm,Sleeps.\n"
        for item_id in ("802.538.09", "001.530.69", "101.150.67", "490.473.41")
    )
    dataset, report = read(
        "ikea",
        {
            "products.csv": products,
            "room_items.csv": "room,item_id\nroom-1,802.538.09\n",
            "rooms.csv": "room,room_type\nroom-1,Kitchen\n",
            "images/bed/802.538.09.jpg": JPEG,
            "images/chair/001.530.69.jpg": JPEG + b"1",
            "images/dining_table/001.530.69.jpg": JPEG + b"1",
            "images/chair/101.150.67.jpg": JPEG + b"2",
            "images/sofa/101.150.67.jpg": JPEG + b"3",
            "images/room_scenes/ikea-a-white-room__1364309-s4.jpg": JPEG,
        },
    )
    # One photo in two folders is one picture; two photos are nobody knows which.
    assert dataset.items["image"].to_list() == [
        "pictures/802.538.09.jpg", "pictures/001.530.69.jpg", None, None
    ]  # fmt: skip
    assert (dataset.folder / "pictures" / "802.538.09.jpg").read_bytes() == JPEG
    assert rejects(dataset) == [
        ("pictures", "101.150.67.jpg", None, "several pictures of one item")
    ]
    account = report.table("pictures")
    assert (account.read, account.kept, account.rejected) == (3, 2, 1)
    [told] = account.reasons
    assert told.value == "chair/101.150.67.jpg, sofa/101.150.67.jpg"


def test_retailrocket_takes_the_last_category_and_the_way_to_it(read):
    dataset, _ = read(
        "retailrocket",
        {
            "events.csv": "timestamp,visitorid,event,itemid,transactionid\n"
            "1433221332117,5,view,10,\n1433221332118,5,addtocart,10,\n"
            "1433221332119,5,transaction,20,4000\n",
            "item_properties_part1.csv": "timestamp,itemid,property,value\n"
            "1435460400000,10,categoryid,3\n1441508400000,10,available,1\n",
            "item_properties_part2.csv": "timestamp,itemid,property,value\n"
            "1431226800000,10,categoryid,1\n",
            "category_tree.csv": "categoryid,parentid\n1,\n2,1\n3,2\n",
        },
    )
    assert events(dataset) == [("5", "10", "view"), ("5", "10", "cart"), ("5", "20", "purchase")]
    titles = dict(dataset.items.select("title", "categories").iter_rows())
    assert titles == {"Item 10": ["Category 1", "Category 2", "Category 3"], "Item 20": []}


def test_a_circle_in_the_category_tree_is_cut():
    assert category_paths({"1": "2", "2": "1", "3": None}) == {
        "1": ("2", "1"),
        "2": ("1", "2"),
        "3": ("3",),
    }


def orders(*rows):
    names = "order_id user_id order_number order_dow order_hour_of_day days_since_prior_order"
    cells = [(*map(str, row[:4]), f"{row[4]:02}", row[5]) for row in rows]
    frame = pl.DataFrame(cells, names.split(), orient="row")
    return frame.insert_column(2, pl.Series("eval_set", ["prior"] * len(rows)))


def test_instacart_orders_get_their_weekday_hour_and_gap():
    table = orders(
        (1, 7, 2, 5, 8, "3.0"), (2, 7, 1, 2, 23, ""), (3, 7, 3, 0, 0, "30.0"), (4, 8, 1, 6, 1, "")
    )
    found = dict(order_times(table.lazy()).select("order_id", "at").collect().iter_rows())
    assert found == {
        "2": datetime(2016, 1, 5, 23),  # a Tuesday
        "1": datetime(2016, 1, 8, 8),
        "3": datetime(2016, 2, 7),  # 30 days later is a Sunday already
        "4": datetime(2016, 1, 9, 1),
    }


def test_a_gap_that_was_cut_is_lengthened_to_the_right_weekday():
    table = orders((1, 7, 1, 0, 0, ""), (2, 7, 2, 1, 0, "30.0"))
    found = order_times(table.lazy()).collect()["at"].to_list()
    # 30 days after Sunday 3 January is Tuesday 2 February; the next Monday is the 8th.
    assert found == [datetime(2016, 1, 3), datetime(2016, 2, 8)]


def test_instacart_joins_its_files(read):
    dataset, _ = read(
        "instacart",
        {
            "orders.csv": orders((1, 7, 1, 2, 8, ""), (2, 7, 2, 5, 9, "3.0")).write_csv(),
            "order_products__prior.csv": "order_id,product_id,add_to_cart_order,reordered\n"
            "1,100,1,0\n1,200,2,0\n9,100,1,0\n",
            "order_products__train.csv": "order_id,product_id,add_to_cart_order,reordered\n"
            "2,100,1,1\n",
            "products.csv": "product_id,product_name,aisle_id,department_id\n"
            '100,"Milk, whole",5,6\n200,Bread,5,6\n',
            "aisles.csv": "aisle_id,aisle\n5,fresh\n",
            "departments.csv": "department_id,department\n6,food\n",
        },
    )
    assert events(dataset, "user_id", "item_id", "session_id", "timestamp") == [
        ("7", "100", "1", at(2016, 1, 5, 8, 0, 1)),
        ("7", "200", "1", at(2016, 1, 5, 8, 0, 2)),
        ("7", "100", "2", at(2016, 1, 8, 9, 0, 1)),
    ]
    assert dataset.items["title"].to_list() == ["Milk, whole", "Bread"]
    assert dataset.items["categories"].to_list() == [["food", "fresh"]] * 2
    assert rejects(dataset) == [("events", "order_products__prior.csv", 4, "empty user_id")]


def test_gowalla_check_ins(read):
    line = "0\t2010-10-19T23:55:27Z\t30.2\t-97.7\t22847\n"
    dataset, _ = read("gowalla", {"loc-gowalla_totalCheckins.txt.gz": line + "0\tlong ago\n"})
    assert events(dataset, "item_id", "timestamp") == [("22847", at(2010, 10, 19, 23, 55, 27))]
    assert [(line, reason) for _, _, line, reason in rejects(dataset)] == [
        (2, "wrong number of cells")
    ]


@pytest.mark.parametrize("form", ["text", "text with a tab", "parquet"])
def test_gowalla_split_can_be_cut_as_the_paper_does(read, form):
    if form == "text":
        files = {"train.txt": "0 10 11\n1 10\n", "test.txt": "0 12\n1\n"}
    elif form == "text with a tab":
        files = {"train.txt": "0\t10 11\n1\t10\n", "test.txt": "0\t12 \n1 \n"}
    else:
        names = ("user_id:token", "item_id:token")
        files = {
            "gowalla_train.parquet": pl.DataFrame(
                dict(zip(names, ([0, 0, 1], [10, 11, 10]), strict=True))
            ),
            "gowalla_test.parquet": pl.DataFrame(dict(zip(names, ([0], [12]), strict=True))),
        }
    dataset, _ = read("gowalla", files)
    early = dataset.events.filter(pl.col("timestamp") < at(2010, 4, 1))
    late = dataset.events.filter(pl.col("timestamp") >= at(2010, 4, 1))
    pairs = list(early.select("user_id", "item_id").iter_rows())
    assert pairs == [("0", "10"), ("0", "11"), ("1", "10")]
    assert list(late.select("user_id", "item_id").iter_rows()) == [("0", "12")]


def journey_files():
    return {
        "transactions": pl.DataFrame(
            {
                "household_id": [900, 900, 901],
                "store_id": [330] * 3,
                "basket_id": [31, 31, 32],
                "product_id": [11, 12, 99],
                "quantity": [2, 1, 1],
                "sales_value": [3.0, 1.0, 1.0],
                "retail_disc": [1.0, 0.0, 0.0],
                "coupon_disc": [0.0] * 3,
                "coupon_match_disc": [0.0] * 3,
                "week": [2, 2, 2],
                "transaction_timestamp": [datetime(2017, 1, 3, 20, n) for n in range(3)],
            }
        ),
        "products": pl.DataFrame(
            {
                "product_id": [11, 12],
                "manufacturer_id": [2, 2],
                "department": ["GROCERY"] * 2,
                "brand": ["National", "Private"],
                "product_category": ["FRZN ICE"] * 2,
                "product_type": ["ICE - CRUSHED/CUBED"] * 2,
                "package_size": ["22 LB", None],
            }
        ),
        "promotions": pl.DataFrame(
            {
                "product_id": [11],
                "store_id": [330],
                "display_location": ["9"],
                "mailer_location": ["0"],
                "week": [2],
            }
        ),
        "coupons": pl.DataFrame({"coupon_upc": [1], "product_id": [12], "campaign_id": [1]}),
        "campaign_descriptions": pl.DataFrame(
            {
                "campaign_id": [1],
                "campaign_type": ["Type B"],
                "start_date": [datetime(2017, 3, 3)],
                "end_date": [datetime(2017, 4, 9)],
            }
        ),
        "demographics": pl.DataFrame(
            {
                "household_id": [900],
                "age": ["65+"],
                "income": ["35-49K"],
                "home_ownership": ["Homeowner"],
                "marital_status": [None],
                "household_size": ["2"],
                "household_comp": ["2 Adults No Kids"],
                "kids_count": ["0"],
            },
            schema_overrides={"marital_status": pl.String},
        ),
    }


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_complete_journey(read, suffix):
    frames = journey_files()
    files = {
        f"{name}.{suffix}": frame if suffix == "parquet" else frame.write_csv()
        for name, frame in frames.items()
    }
    dataset, _ = read("complete-journey", files)
    assert events(dataset, "user_id", "item_id", "session_id", "place", "value") == [
        ("household-900", "product-11", "basket-31", "store-330", 2.0),
        ("household-900", "product-12", "basket-31", "store-330", 1.0),
    ]
    assert dataset.events["timestamp"][0] == at(2017, 1, 3, 20)
    first = dataset.items.row(0, named=True)
    assert (first["price"], first["brand"]) == (2.0, "National brand")
    assert "ice" in first["title"].lower()
    assert set(dataset.triples["tail"]) == {"manufacturer 2"}
    assert attributes(dataset.users["attributes"][0])["age"] == "65+"
    offers = list(dataset.offers.select("item_id", "kind", "place", "starts_at").iter_rows())
    assert offers == [
        ("product-11", "display", "store-330", at(2017, 1, 2, 5)),
        ("product-12", "coupon", None, at(2017, 3, 3, 5)),
    ]
    line = 3 if suffix == "parquet" else 4
    assert rejects(dataset) == [("events", f"transactions.{suffix}", line, "unknown item")]


def test_complete_journey_without_people_and_offers(read):
    frames = journey_files()
    files = {f"{name}.parquet": frames[name] for name in ("transactions", "products")}
    dataset, _ = read("complete-journey", files)
    assert (dataset.users.height, dataset.offers.height, dataset.items.height) == (0, 0, 2)


# --- what is missing is told


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_says_what_it_wants_of_an_empty_folder(preset, tmp_path):
    with pytest.raises(DataError) as raised:
        preset.form_of(Shelf.of(tmp_path))
    told = str(raised.value)
    assert all(pattern in told for form in preset.forms for pattern in form.files())
    assert preset.origin in told
    assert preset.settings.terms
    assert preset.settings.attribution


def test_the_nearest_form_tells_what_is_missing(tmp_path):
    (tmp_path / "ratings.dat").touch()
    with pytest.raises(DataError, match=r"no file movies\.dat for movielens"):
        preset_named("movielens").form_of(Shelf.of(tmp_path))


@pytest.mark.parametrize(
    ("preset", "file", "advice"),
    [
        ("ikea", "products_dict.p", "pickle can run any code"),
        ("ikea", "dataset_description.png", "write them as CSV"),
        ("online-retail", "Online Retail.xlsx", "save the sheet as"),
        ("hm", "transactions_train.csv.zip", "unpack"),
    ],
)
def test_a_file_that_cannot_be_read_gets_advice(tmp_path, preset, file, advice):
    (tmp_path / file).touch()
    with pytest.raises(DataError, match=advice):
        preset_named(preset).form_of(Shelf.of(tmp_path))


@pytest.mark.parametrize(
    ("file", "wrong"), [("ratings.csv", "timestamp"), ("movies.csv", "genres")]
)
def test_a_missing_column_is_named_with_its_file(read, file, wrong):
    with pytest.raises(MappingError, match=rf"{file}: no column '{wrong}'.*the file has"):
        read("movielens", MOVIES | {file: MOVIES[file].replace(wrong, "other", 1)})


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        ingest_preset(preset_named("gowalla"), tmp_path / "none", tmp_path / "out")


def test_a_packed_file_that_is_cut_off_is_told(tmp_path):
    packed = gzip.compress(b"0\t2010-10-19T23:55:27Z\t30.2\t-97.7\t22847\n" * 900)
    path = tmp_path / "loc-gowalla_totalCheckins.txt.gz"
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match="damaged"):
        ingest_preset(preset_named("gowalla"), path, tmp_path / "out")


def test_an_unknown_preset_is_answered_with_the_nearest():
    with pytest.raises(MappingError, match="did you mean 'movielens'"):
        preset_named("movielense")


def test_patterns():
    shelf = Shelf(Path("x"), ("A.CSV", "a.csv.gz", "meta_a.csv", "music.csv"))
    found = [path.name for path in shelf.all("*.csv{,.gz} but not meta_*")]
    assert found == ["A.CSV", "a.csv.gz", "music.csv"]


def test_patterns_look_into_the_folder_of_data_only_when_asked():
    shelf = Shelf(Path("x"), ("a.csv", "data/b.csv"))
    assert shelf.all("*.csv") == [Path("x/a.csv")]
    assert shelf.all("{data/,}?.csv") == [Path("x/a.csv"), Path("x/data/b.csv")]


# --- the command


def test_the_command_prints_the_terms_and_the_account(tmp_path):
    for name, text in MOVIES.items():
        (tmp_path / name).write_text(text)
    command = ["ingest", "--preset", "movielens", str(tmp_path), str(tmp_path / "out")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "Terms of use: GroupLens" in result.output
    assert "unknown item" in result.output
    assert Dataset.open(tmp_path / "out").settings.terms.startswith("GroupLens")


def test_the_command_lists_the_presets():
    result = CliRunner().invoke(app, ["ingest", "--list-presets"])
    assert result.exit_code == 0
    for preset in PRESETS:
        assert f"{preset.name}: " in result.output
        assert preset.settings.terms in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "movielens", "out"], "expected --preset movielens SOURCE OUT"),
        (["--preset", "movielens", "in", "out", "--items", "i.csv"], "got --items"),
        (["--preset", "films", "in", "out"], "expected one of complete-journey"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(arguments, message):
    result = CliRunner().invoke(app, ["ingest", *arguments], terminal_width=300)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())

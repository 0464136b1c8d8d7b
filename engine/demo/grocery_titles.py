"""From a grocer's till codes to words that a shopper would read.

The codes are cut at thirty characters, written in capitals and abbreviated in a hundred ways
("FRZN BRD STICK/PORTON"). ``grocery_words.txt`` holds what has to be known: names of
departments and categories, whole types that no rule gets right, and single abbreviations. The
rules here do the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from configparser import ConfigParser
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import polars as pl

from engine.demo.package_sizes import package_size

_UNKNOWN = "Other items"
_SECTION_IN = "types in "
_CRATE_LB, _CRATE_PIECES, _POTATO_BAG_LB = 10, 10, 20
"""From here on a size of fruit or vegetables is that of the shop's crate, not of the purchase."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The tables of ``grocery_words.txt``; keys are till codes, values are words."""

    departments: Mapping[str, str]
    categories: Mapping[str, str]
    types: Mapping[str, str]
    types_in: Mapping[tuple[str, str], str]
    """Names that a type has in one category only, by (category, type)."""
    heads: Mapping[str, str]
    """What stands before a colon or a dash, and the noun that it becomes."""
    words: Mapping[str, str]
    names: Mapping[str, str]
    """Words that keep their capitals, by their small form."""


@cache
def lexicon() -> Lexicon:
    """The words, read once."""
    parser = ConfigParser(
        delimiters=("|",), comment_prefixes=("#",), interpolation=None, allow_no_value=True
    )
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(files("engine.demo").joinpath("grocery_words.txt").read_text("utf-8"))
    return Lexicon(
        departments=dict(parser["departments"]),
        categories=dict(parser["categories"]),
        types=dict(parser["types"]),
        types_in={
            (section.removeprefix(_SECTION_IN), raw): name
            for section in parser.sections()
            if section.startswith(_SECTION_IN)
            for raw, name in parser[section].items()
        },
        heads=dict(parser["heads"]),
        words=dict(parser["words"]),
        names={name.lower(): name for name in parser["names"]},
    )


def department_name(raw: str) -> str:
    """A department in words: ``"DRUG GM"`` is ``"Drugstore and household"``."""
    return lexicon().departments.get(raw) or readable(raw)


def category_name(raw: str) -> str:
    """A category in words: ``"FRZN ICE"`` is ``"Frozen ice"``."""
    code = " ".join(raw.split())
    return lexicon().categories.get(code) or readable(code)


def type_name(category: str | None, raw: str) -> str:
    """A product type in words.

    Args:
        category: The till code of its category: "PREMIUM" is an ice cream in one, a bacon in
            another.
        raw: The till code of the type.
    """
    code = " ".join(raw.split())
    known = lexicon()
    return known.types_in.get((category or "None", code)) or known.types.get(code) or readable(code)


def readable(code: str) -> str:
    """A till code in words by rule alone: ``"ICE - CRUSHED/CUBED"`` is ``"Crushed or cubed ice"``.

    Brackets go (they hold examples, often cut short), what stands before a colon or a dash
    follows as the noun, slashes become "and", abbreviations are spelled out.
    """
    code = re.sub(r"\([^)]*\)?", " ", code)
    head, tail = _split_head(code)
    text = _spell(tail)
    if head is not None:
        noun = lexicon().heads.get(head)
        text = f"{text} {_spell(head) if noun is None else noun}"
    text = " ".join(text.replace(" ,", ",").split()).strip(" ,-")
    return text[:1].upper() + text[1:]


def _split_head(code: str) -> tuple[str | None, str]:
    for pattern in (r"^([A-Z0-9&/ ]+?)\s*:\s*(.+)$", r"^([A-Z0-9&/ ]+?)\s+-\s+(.+)$"):
        found = re.match(pattern, code.strip())
        if found:
            return found[1].strip(), found[2]
    return None, code


def _spell(code: str) -> str:
    known = lexicon()
    parts = [part.strip() for part in code.replace("-", " ").split("/") if part.strip()]
    alternatives = [
        " ".join(_word(word, known) for word in part.replace("&", " & ").split()) for part in parts
    ]
    if len(alternatives) < 2:
        return "".join(alternatives)
    return ", ".join(alternatives[:-1]) + " and " + alternatives[-1]


def _word(word: str, known: Lexicon) -> str:
    if word in known.words:
        return known.words[word]
    small = word.lower().strip(".")
    return known.names.get(small, small)


def category_path(department: str, category: str | None, kind: str | None) -> list[str]:
    """The path of a product, most general first; a level that repeats the one above is left out."""
    path = [department_name(department)]
    if category:
        path.append(category_name(category))
    if kind:
        path.append(type_name(category, kind))
    return [name for place, name in enumerate(path) if name not in path[:place]]


def with_titles(products: pl.DataFrame) -> pl.DataFrame:
    """Add ``categories`` (list of str), ``size`` (str or null) and ``title`` to a product table.

    A title is the type and the package size. Where several products share both, what the data
    knows to tell them apart follows in brackets: "store brand" or the number of the maker, and
    among the varieties of one maker a running number in the order of the product ids.

    Args:
        products: The package's product table, with ``product_id``, ``manufacturer_id``,
            ``department``, ``brand``, ``product_category``, ``product_type``, ``package_size``.
            Pass the whole table: titles of a part of it would number varieties differently.
    """
    kinds = products.select("department", "product_category", "product_type").unique()
    paths = [category_path(*row) for row in kinds.iter_rows()]
    kinds = kinds.with_columns(pl.Series("categories", paths, pl.List(pl.String)))
    sizes = products.select("package_size").unique()
    sizes = sizes.with_columns(
        pl.Series("size", [package_size(raw) for raw in sizes["package_size"]], pl.String)
    )
    named = _beside(products, kinds, ["department", "product_category", "product_type"])
    return _beside(named, sizes, ["package_size"]).with_columns(_title())


def _beside(left: pl.DataFrame, right: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    return left.join(right, on=keys, how="left", nulls_equal=True, maintain_order="left")


def _title() -> pl.Expr:
    """Type and size; in brackets what tells equal ones apart."""
    kind = pl.when(pl.col("product_type").is_null()).then(pl.lit(_UNKNOWN))
    name = kind.otherwise(pl.col("categories").list.last())
    plain = pl.concat_str([name, _size_at_the_till()], separator=", ", ignore_nulls=True)
    private = pl.col("brand") == "Private"
    number = pl.format("maker {}", pl.col("manufacturer_id"))
    maker = pl.when(private).then(pl.lit("store brand")).otherwise(number)
    variety = pl.format(
        "{}, variety {}", maker, pl.col("product_id").rank("ordinal").over(plain, maker)
    )
    known = pl.when(pl.len().over(plain, maker) > 1).then(variety).otherwise(maker)
    alone = (pl.len().over(plain) == 1) & ~private
    return pl.when(alone).then(plain).otherwise(pl.format("{} ({})", plain, known)).alias("title")


def _size_at_the_till() -> pl.Expr:
    """The size, but "loose" for produce that the shop gets by the crate: "BANANAS, 40 LB"."""
    amount = pl.col("size").str.extract(r"([\d.]+) (?:lb|ct)$").cast(pl.Float64)
    crate = pl.col("size").str.ends_with(" lb") & (amount >= _CRATE_LB)
    box = pl.col("size").str.ends_with(" ct") & (amount >= _CRATE_PIECES)
    bag = pl.col("product_type").str.contains("POTATO") & (amount <= _POTATO_BAG_LB) & crate
    loose = (pl.col("department") == "PRODUCE") & (crate | box) & ~bag
    return pl.when(loose).then(pl.lit("loose")).otherwise(pl.col("size"))

"""The encoders' figures: pictures and words, rooms, words alone, and pictures per second.

    python -m benchmarks.encoders [--research NAME] [--also NAME ...] [--data FOLDER]

Measures the bundled encoder, the same towers without training, and on request a research
checkpoint and any other encoder, each by a name that ``Encoder.open`` takes. The Parquet files are
looked for in ``../shared/data``; their test splits are what is measured. Captions and rooms are
cases of the research weights (``VITRINE_RESEARCH_WEIGHTS`` names them as well), as the shipped
ones may not learn from such pictures; what these transfer stands beside, as ``_shipped``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from benchmarks import pages
from benchmarks.cases import RESULTS, Case, markdown, measured, write
from benchmarks.encoder_cases import evaluate_pictures, rooms, words
from benchmarks.encoder_cases.closed_form import open_closed_form, open_imagenet
from benchmarks.encoder_cases.figures import Figure
from benchmarks.encoder_cases.headline import COMMAND, headline_cases
from benchmarks.encoder_cases.subjects import Subject, subject
from benchmarks.encoder_cases.tables import (
    Column,
    against_plain_words,
    room_ratios,
    side_by_side,
)
from benchmarks.encoder_throughput import measure_throughput
from encoders import Encoder, VectorCache

VECTORS = Path("runs/encoder-vectors")
PICTURES = 384


def main() -> None:
    """Measure, write ``results/encoders.json`` and the table, print the cases."""
    options = _options()
    if not (options.data / "fashion.parquet").is_file():
        print(f"{options.data} holds no fashion.parquet: give the folder of the data with --data")
        return
    cache = VectorCache(VECTORS / _code_hash())
    ours = Encoder.open("bundled")
    shipped = _measure(subject("bundled", "what Vitrine ships", ours, cache), options.data)
    untrained = [_measure(other, options.data) for other in _untrained(cache)]
    research = _research(options.research, cache, options.data)
    others = [_opened(name, name, cache, options.data) for name in options.also]
    columns = [column for column in (shipped, research, *untrained, *others) if column]
    _write_table(columns, untrained)
    found = headline_cases(shipped, research, imagenet=untrained[1], plain=untrained[2])
    write("encoders", [*found, *_throughput(ours, options.data)])
    pages.main()
    print(markdown("encoders"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encoders")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--research", default=os.environ.get("VITRINE_RESEARCH_WEIGHTS"))
    parser.add_argument("--also", action="append", default=[], metavar="NAME")
    return parser.parse_args()


def _code_hash() -> str:
    # A fingerprint covers weights and settings, not how this version decodes a picture.
    digest = hashlib.sha256()
    for file in sorted(Path("encoders").glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _untrained(cache: VectorCache) -> Iterator[Subject]:
    closed = subject(
        "closed form",
        "the towers before training: ConSE and ridge on ImageNet class names",
        open_closed_form(),
        cache,
    )
    yield closed
    features = subject("imagenet", "", open_imagenet(), cache)
    yield Subject("imagenet", "EfficientNet-Lite0's pooled features", features.encode_images)
    yield Subject("MiniLM", "all-MiniLM-L6-v2, mean pooling", encode_texts=closed.encode_texts)


def _research(name: str | None, cache: VectorCache, data: Path) -> Column | None:
    if name is None:
        print("no research weights (--research NAME): their cases are left out")
        return None
    return _opened("research", name, cache, data)


def _opened(label: str, name: str, cache: VectorCache, data: Path) -> Column:
    return _measure(subject(label, f"`{name}`", Encoder.open(name), cache), data)


def _measure(who: Subject, data: Path) -> Column:
    figures: list[Figure] = []
    if who.encode_images and who.encode_texts:
        figures += evaluate_pictures(who.encode_images, who.encode_texts, data)
    if who.encode_images:
        figures += rooms(who.encode_images, who.encode_texts, data)
    if who.encode_texts:
        figures += words(who.encode_texts, data)
    return Column(who.name, who.about, tuple(figures))


def _throughput(encoder: Encoder, data: Path) -> Iterator[Case]:
    photos = pl.scan_parquet(data / "captioned_photos.parquet").filter(pl.col("split") == "test")
    pictures = photos.head(PICTURES).collect()["image"].to_list()
    found = measure_throughput(encoder, pictures, rounds=5)
    yield measured("throughput_ratio", found.ratio, "x", ">= 0.9", command=COMMAND)


def _write_table(columns: list[Column], untrained: list[Column]) -> None:
    closed, imagenet, plain = untrained
    trained = [column for column in columns if column not in untrained]
    parts = [
        side_by_side(columns),
        "## Rooms, over what saw no pair",
        room_ratios([*trained, closed], [imagenet, closed]),
        "## Words, against plain MiniLM",
        against_plain_words(trained, plain),
    ]
    RESULTS.joinpath("encoders_table.md").write_text("\n\n".join(parts) + "\n", "utf-8")


if __name__ == "__main__":
    main()

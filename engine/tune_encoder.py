"""Tune an encoder to a shop's own items: pictures and words, and what is bought together."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from encoders import EncoderError, ImageError, decode_image
from encoders.hub import is_path, open_towers
from encoders.tuning import (
    Base,
    Catalogue,
    Epoch,
    Pairs,
    PicturePairs,
    Tuned,
    TuningError,
    TuningSettings,
    fingerprint_of,
    tune,
    write_tuned,
)
from encoders.tuning.merge import RECORD_FILE
from engine.artifacts import whole_folder
from engine.content import MAX_WORDS_CHARS, descriptions_of, words_of
from engine.dataset import Dataset
from engine.errors import DataError, MissingExtraError
from engine.pictures import read_picture
from engine.stages import Reporter, Silent
from engine.types import KINDS, EventKind
from engine.vocabulary import Vocabulary, load_interactions
from graph import GraphTables, bought_with

HELD_OUT_ONE_IN = 10
"""One item in so many is measured on and never learned from."""
TOGETHER_KINDS = (EventKind.CART, EventKind.PURCHASE)
"""Events that put an item into a basket."""
HALF_LIFE_DAYS = 365.0
"""Age at which a basket counts half."""


@dataclass(frozen=True, slots=True)
class TuningReport:
    """What came of a tuning."""

    tuned: Tuned
    n_items: int
    n_pictures: int
    n_pairs: int
    """Pairs of items bought together."""
    seconds: float
    folder: Path | None
    """Where the tuned encoder is; None if it was no better than before and nothing was written."""


def tune_encoder(
    dataset: Dataset,
    encoder: str,
    out: Path,
    settings: TuningSettings,
    *,
    as_of_unix_s: int,
    reporter: Reporter | None = None,
) -> TuningReport:
    """Tune an encoder on a dataset, and write it if it is better than before.

    An interrupted call is resumed by the next with the same arguments.

    Args:
        dataset: The shop's tables and pictures.
        encoder: What to tune, as :meth:`encoders.Encoder.open` takes it.
        out: Folder to write, which :meth:`encoders.Encoder.open` then takes.
        settings: How to tune.
        as_of_unix_s: Events from this moment on are not read.
        reporter: Told how far the work is.

    Raises:
        DataError: There is nothing to learn from or to measure on, ``out`` holds something else,
            or there is no such encoder.
        MissingExtraError: peft is not installed.
    """
    if find_spec("peft") is None:
        raise MissingExtraError("peft", extra="tune")
    _check_target(out)
    reporter, started = reporter or Silent(), time.perf_counter()
    checkpoint = out.with_name(f".{out.name}.tuning.safetensors")
    reporter.begin("read", cached=False)
    catalogue = catalogue_of(dataset, as_of_unix_s=as_of_unix_s, reporter=reporter)
    try:
        towers = open_towers(encoder)
        base = Base(_anywhere(encoder), fingerprint_of(towers))
        reporter.begin("tune", cached=False)
        tuned = tune(
            towers,
            catalogue,
            settings,
            checkpoint=checkpoint,
            on_step=reporter.advance,
            on_epoch=_telling(reporter),
        )
    except EncoderError as error:
        raise DataError(f"encoder {encoder!r}: {error}") from error
    except (TuningError, ImageError) as error:
        raise DataError(f"{dataset.folder}: {error}") from error
    report = TuningReport(
        tuned=tuned,
        n_items=len(catalogue.words),
        n_pictures=len(catalogue.pictures),
        n_pairs=len(catalogue.together),
        seconds=round(time.perf_counter() - started, 1),
        folder=out if tuned.best else None,
    )
    if tuned.best:
        with whole_folder(out) as fresh:
            write_tuned(fresh, base, tuned.updates, record(report, settings))
    checkpoint.unlink(missing_ok=True)
    return report


def catalogue_of(
    dataset: Dataset, *, as_of_unix_s: int, reporter: Reporter | None = None
) -> Catalogue:
    """What a dataset gives to tune on.

    One item in ten is held out, with all that read like it: the hash of the first id among them
    decides, so that it stays the same while the catalogue grows.

    Raises:
        DataError: No item has a readable picture, and no two were bought together.
    """
    reporter = reporter or Silent()
    words = _words(dataset.items)
    pictures = _pictures(dataset, reporter)
    together = _together(dataset, as_of_unix_s)
    if not len(pictures) and not len(together):
        raise DataError(
            f"{dataset.folder}: no item has a picture that can be read, and no two items were "
            "bought in one session: there is nothing to tune an encoder on"
        )
    reporter.note(
        f"{len(words):,} items, {len(pictures):,} pictures, {len(together):,} pairs of items "
        "bought together"
    )
    return Catalogue(words, pictures, together, _held_out(dataset.items["item_id"], words))


def record(report: TuningReport, settings: TuningSettings) -> dict[str, object]:
    """A report as JSON has it; beside the tuned weights it tells people what they are."""
    tuned = report.tuned
    return {
        "items": report.n_items,
        "pictures": report.n_pictures,
        "pairs": report.n_pairs,
        "held_out_items": tuned.n_held_out,
        "seconds": report.seconds,
        "before": asdict(tuned.before),
        "after": asdict(tuned.after),
        "general_cosine": tuned.general_cosine,
        "best_epoch": tuned.best,
        "epochs": [asdict(epoch) for epoch in tuned.epochs],
        "settings": asdict(settings),
    }


class PictureFiles(Sequence[bytes]):
    """Picture files of a dataset, each read when it is asked for."""

    def __init__(self, folder: Path, images: Sequence[str]) -> None:
        """Files by what ``items.image`` holds."""
        self._folder, self._images = folder, images

    def __len__(self) -> int:
        return len(self._images)

    @overload
    def __getitem__(self, row: int) -> bytes: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[bytes]: ...
    def __getitem__(self, row: int | slice) -> bytes | Sequence[bytes]:
        """The bytes of one file, or a part of the files.

        Raises:
            DataError: The file is gone.
        """
        if isinstance(row, slice):
            return PictureFiles(self._folder, self._images[row])
        data = read_picture(self._folder, self._images[row])
        if data is None:
            raise DataError(f"picture {self._images[row]!r} is gone from {self._folder}")
        return data


def _words(items: pl.DataFrame) -> list[str]:
    texts = zip(words_of(items), descriptions_of(items), strict=True)
    return [". ".join(filter(None, parts))[:MAX_WORDS_CHARS] for parts in texts]


def _pictures(dataset: Dataset, reporter: Reporter) -> PicturePairs:
    """The pictures that can be read, the shown one of an item before its others."""
    folder = Path(dataset.folder)
    rows, kept, bad = [], [], []
    for row, (shown, others) in enumerate(dataset.items.select("image", "images").iter_rows()):
        for name in dict.fromkeys([shown, *others]):
            try:
                data = read_picture(folder, name)
                if data is not None:
                    decode_image(data)
                    rows.append(row)
                    kept.append(name)
            except (ImageError, DataError, OSError, MissingExtraError) as error:
                bad.append(f"{name}: {error}")
        reporter.advance(row + 1, len(dataset.items))
    if bad:
        reporter.note(f"{len(bad)} pictures cannot be read; the first: {bad[0]}")
    return PicturePairs(np.array(rows, dtype=np.int64), PictureFiles(folder, kept))


def _together(dataset: Dataset, as_of_unix_s: int) -> Pairs:
    """Items found in one session before a moment, weighted by :func:`graph.bought_with`."""
    as_of = datetime.fromtimestamp(as_of_unix_s, UTC)
    # Cut before sessions are numbered, as training does.
    before = replace(dataset, events=dataset.events.filter(pl.col("timestamp") < as_of))
    events = load_interactions(before, Vocabulary.of(dataset))
    events = events.where(np.isin(events.kind, [KINDS.index(kind) for kind in TOGETHER_KINDS]))
    tables = GraphTables(
        n_users=events.n_users,
        n_items=events.n_items,
        user=events.user,
        item=events.item,
        at_unix_s=events.at_unix_s,
        weight=np.ones(len(events), dtype=np.float32),
        session=events.session,
        item_facts=(),
        category_parent=np.zeros(0, dtype=np.int64),
    )
    one, other, score = bought_with(
        tables, as_of_unix_s=as_of_unix_s, half_life_days=HALF_LIFE_DAYS
    )
    # A pair that each of the two counts among its strongest comes twice, with one score.
    low, high = np.minimum(one, other), np.maximum(one, other)
    _, kept = np.unique(low * events.n_items + high, return_index=True)
    return Pairs(low[kept], high[kept], score[kept])


def _held_out(ids: pl.Series, words: Sequence[str]) -> NDArray[np.bool_]:
    first: dict[str, str] = {}
    for id_, text in zip(ids, words, strict=True):
        first[text] = min(id_, first.get(text, id_))
    chosen = {text for text, id_ in first.items() if _hash(id_) % HELD_OUT_ONE_IN == 0}
    return np.array([text in chosen for text in words], dtype=np.bool_)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _check_target(out: Path) -> None:
    if not out.exists() or (out / RECORD_FILE).is_file():
        return
    if not out.is_dir() or any(out.iterdir()):
        raise DataError(f"{out} is no tuned encoder: choose a folder that is empty or not there")


def _anywhere(encoder: str) -> str:
    """The name of an encoder, with paths that hold in every working directory."""
    if (folder := Path(encoder).expanduser()).is_dir():
        return str(folder.resolve())
    architecture, colon, source = encoder.partition(":")
    if colon and is_path(source):
        return f"{architecture}:{Path(source).expanduser().resolve()}"
    return encoder


def _telling(reporter: Reporter) -> Callable[[Epoch], None]:
    def tell(epoch: Epoch) -> None:
        ten, one = epoch.figures.score
        reporter.note(
            f"epoch {epoch.number}: loss {epoch.loss:.3f}, held-out Recall@10 {ten:.3f}, "
            f"Recall@1 {one:.3f}"
        )

    return tell

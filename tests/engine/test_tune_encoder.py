from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from encoders import Encoder
from encoders.tuning import TuningSettings
from engine.cli_tune_encoder import tune_encoder as command
from engine.dataset import Dataset, DatasetSettings, write_dataset
from engine.errors import DataError, MissingExtraError
from engine.stages import Silent
from engine.terminal import Commands
from engine.tune_encoder import catalogue_of, tune_encoder

pytest.importorskip("peft", reason="peft is not installed: pip install -e '.[tune]'")

SMALL = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1},
}
COLOURS = {
    "zorp": "red",
    "blick": "blue",
    "quam": "green",
    "fenn": "gold",
    "tolv": "purple",
    "wug": "black",
    "dax": "cyan",
    "toma": "pink",
}
N_EACH = 25
CUT = datetime(2024, 3, 1, tzinfo=UTC)
CUT_UNIX_S = int(CUT.timestamp())
QUICK = TuningSettings(
    rank=4, alpha=8.0, epochs=5, batch_size=32, learning_rate=1e-2, anchor_weight=0.1
)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def small(write_clip: Callable[[str, object], str]) -> str:
    """A small random model, as a name that the hub opens."""
    return write_clip("vitrine-test-shop", SMALL)


def picture(colour: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (32, 32), colour).save(file, format="PNG")
    return file.getvalue()


def shop(
    folder: Path, *, with_pictures: bool = True, baskets: pl.DataFrame | None = None
) -> Dataset:
    """Cloths of eight colours that no encoder knows the names of."""
    words = [(n, name) for n in range(N_EACH) for name in COLOURS]
    items = pl.DataFrame(
        {
            "item_id": [f"{name}-{n}" for n, name in words],
            "title": [f"{name} {n}" for n, name in words],
            "image": [f"pictures/{name}.png" if with_pictures else None for _, name in words],
        },
        schema_overrides={"image": pl.String},
    )
    settings = DatasetSettings(name="Cloths", pictures="pictures")
    if baskets is None:
        baskets = pl.DataFrame([basket_row("u", "zorp-0", CUT, kind="view")])
    dataset = write_dataset(folder, settings, items=items, events=baskets)
    (folder / "pictures").mkdir()
    for name, colour in COLOURS.items():
        (folder / "pictures" / f"{name}.png").write_bytes(picture(colour))
    return dataset


def basket_row(user: str, item: str, at: datetime, *, kind: str = "purchase") -> dict[str, object]:
    return {"user_id": user, "item_id": item, "kind": kind, "timestamp": at}


def basket(user: str, at: datetime, *items: str, kind: str = "purchase") -> list[dict[str, object]]:
    return [basket_row(user, item, at, kind=kind) for item in items]


def pairs_of(dataset: Dataset, as_of_unix_s: int = CUT_UNIX_S) -> dict[tuple[str, str], float]:
    together = catalogue_of(dataset, as_of_unix_s=as_of_unix_s).together
    ids = dataset.items["item_id"].to_list()
    return {
        (ids[a], ids[b]): float(w)
        for a, b, w in zip(together.first, together.second, together.weight, strict=True)
    }


def vitrine(*arguments: object) -> Result:
    app = typer.Typer(cls=Commands)
    app.callback()(lambda: None)
    app.command("tune-encoder")(command)
    return CliRunner().invoke(app, ["tune-encoder", *map(str, arguments)])


def test_pairs_come_from_baskets_before_the_cut(tmp_path):
    day = timedelta(days=1)
    rows = [
        *(r for n in range(3) for r in basket(f"u{n}", CUT - n * day - day, "zorp-0", "dax-0")),
        *basket("v", CUT - day, "zorp-0", "fenn-0"),
        *basket("looks", CUT - day, "zorp-0", "wug-0", kind="view"),
        *basket("alone", CUT - day, "toma-0"),
    ]
    later = basket("w", CUT, "zorp-0", "quam-0", "dax-0")
    # A second before it, yet in one visit with what comes after.
    astride = basket("x", CUT - timedelta(seconds=1), "blick-0") + basket("x", CUT, "tolv-0")
    before = shop(tmp_path / "before", baskets=pl.DataFrame([*rows, astride[0]]))
    all_of_it = shop(tmp_path / "all", baskets=pl.DataFrame([*rows, *later, *astride]))
    found = pairs_of(all_of_it)
    assert set(found) == {("zorp-0", "dax-0"), ("zorp-0", "fenn-0")}
    assert found["zorp-0", "dax-0"] > found["zorp-0", "fenn-0"]
    assert found == pairs_of(before)
    assert ("zorp-0", "quam-0") in pairs_of(all_of_it, CUT_UNIX_S + 1)


def test_twins_are_held_out_together_and_whatever_else_is_sold(tmp_path):
    def held_out(dataset: Dataset) -> dict[str, bool]:
        catalogue = catalogue_of(dataset, as_of_unix_s=CUT_UNIX_S)
        return dict(zip(dataset.items["item_id"], catalogue.held_out.tolist(), strict=True))

    dataset = shop(tmp_path / "shop")
    chosen = held_out(dataset)
    assert 0.05 < np.mean(list(chosen.values())) < 0.15
    twins = dataset.items.with_columns(item_id=pl.concat_str(pl.col("item_id"), pl.lit(" twin")))
    grown = write_dataset(
        tmp_path / "grown",
        DatasetSettings(name="Cloths", pictures="pictures"),
        items=pl.concat([twins, dataset.items.reverse()]),
        events=dataset.events,
    )
    shutil.copytree(tmp_path / "shop" / "pictures", tmp_path / "grown" / "pictures")
    now = held_out(grown)
    assert {id_: now[id_] for id_ in chosen} == chosen
    assert all(now[f"{id_} twin"] == chosen[id_] for id_ in chosen)


def test_a_picture_that_cannot_be_read_is_told_of_and_left_out(tmp_path):
    class Listening(Silent):
        notes: list[str] = []  # noqa: RUF012 - one test, one listener

        def note(self, text: str) -> None:
            self.notes.append(text)

    dataset = shop(tmp_path)
    (tmp_path / "pictures" / "zorp.png").write_bytes(b"no picture")
    (tmp_path / "pictures" / "dax.png").unlink()
    listening = Listening()
    catalogue = catalogue_of(dataset, as_of_unix_s=CUT_UNIX_S, reporter=listening)
    assert len(catalogue.pictures) == 6 * N_EACH
    assert not any(
        catalogue.words[row].startswith(("zorp", "dax")) for row in catalogue.pictures.item
    )
    assert catalogue.pictures.files[0] == picture("blue")
    assert listening.notes[0].startswith(f"{N_EACH} pictures cannot be read; the first: pictures/")


def test_a_shop_with_neither_pictures_nor_baskets_is_told_so(tmp_path, small):
    dataset = shop(tmp_path / "shop", with_pictures=False)
    with pytest.raises(DataError, match="no item has a picture that can be read, and no two items"):
        tune_encoder(dataset, small, tmp_path / "out", QUICK, as_of_unix_s=CUT_UNIX_S)
    assert not (tmp_path / "out").exists()


def test_a_tuned_encoder_knows_the_shops_words(tmp_path, small):
    dataset, out = shop(tmp_path / "shop"), tmp_path / "models" / "cloths"
    report = tune_encoder(dataset, small, out, QUICK, as_of_unix_s=CUT_UNIX_S)
    assert report.folder == out
    tuned = Encoder.open(str(out), device="cpu", precision="float32")
    colours = tuned.encode_images([picture(colour) for colour in COLOURS.values()])
    best = np.argmax(tuned.encode_texts([f"{name} 99" for name in COLOURS]) @ colours.T, axis=1)
    assert (best == np.arange(8)).sum() >= 6
    record = json.loads((out / "encoder.json").read_text())
    assert record["items"] == len(dataset.items)
    assert record["after"]["image_to_text_r10"] > record["before"]["image_to_text_r10"] + 0.2
    assert record["base"]["encoder"] == small
    assert sorted(path.name for path in out.parent.iterdir()) == ["cloths"]  # nothing left behind


def test_a_shop_without_pictures_tunes_words_on_its_baskets(tmp_path, small):
    # Cloths of two colours next to each other in the list are bought together.
    rng = np.random.default_rng(0)
    names = list(COLOURS)
    rows = []
    for n in range(1_500):
        one = int(rng.integers(4)) * 2
        items = [f"{names[one + turn]}-{rng.integers(N_EACH)}" for turn in (0, 1)]
        rows += basket(f"u{n}", CUT - timedelta(hours=n + 1), *items)
    dataset = shop(tmp_path / "shop", with_pictures=False, baskets=pl.DataFrame(rows))
    settings = TuningSettings(
        tower="text", epochs=15, patience=15, learning_rate=1e-2, together_weight=1.0
    )
    out = tmp_path / "out"
    report = tune_encoder(dataset, small, out, settings, as_of_unix_s=CUT_UNIX_S)
    assert report.n_pictures == 0
    assert report.tuned.after.text_to_image_r10 is None
    assert report.tuned.after.together_r10 > report.tuned.before.together_r10 + 0.1
    assert out.is_dir()


def test_an_interrupted_tuning_resumes_and_another_folder_is_left_alone(tmp_path, small):
    class Impatient(Silent):
        stage = ""

        def begin(self, stage: str, *, cached: bool) -> None:
            self.stage = stage

        def advance(self, done: int, total: int) -> None:
            if self.stage == "tune" and done == 8:
                raise KeyboardInterrupt

    dataset, out = shop(tmp_path / "shop"), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        tune_encoder(dataset, small, out, QUICK, as_of_unix_s=CUT_UNIX_S, reporter=Impatient())
    assert not out.exists()
    resumed = tune_encoder(dataset, small, out, QUICK, as_of_unix_s=CUT_UNIX_S)
    whole = tune_encoder(dataset, small, tmp_path / "whole", QUICK, as_of_unix_s=CUT_UNIX_S)
    assert resumed.tuned.epochs == whole.tuned.epochs
    adapter = "adapter.safetensors"
    assert (out / adapter).read_bytes() == (tmp_path / "whole" / adapter).read_bytes()
    tune_encoder(dataset, small, out, QUICK, as_of_unix_s=CUT_UNIX_S)  # its own may be replaced
    with pytest.raises(DataError, match="is no tuned encoder: choose a folder that is empty"):
        tune_encoder(dataset, small, tmp_path / "shop", QUICK, as_of_unix_s=CUT_UNIX_S)


def test_an_encoder_that_cannot_be_opened_is_named(tmp_path):
    dataset = shop(tmp_path / "shop")
    with pytest.raises(DataError, match=r"encoder 'nonsense': .* is not understood"):
        tune_encoder(dataset, "nonsense", tmp_path / "out", QUICK, as_of_unix_s=CUT_UNIX_S)


def test_without_peft_the_extra_is_named(tmp_path, small, monkeypatch):
    monkeypatch.setattr("engine.tune_encoder.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vitrine-rec\[tune\]'"):
        tune_encoder(shop(tmp_path / "shop"), small, tmp_path / "out", QUICK, as_of_unix_s=0)


def test_the_command_shows_before_and_after(tmp_path, small):
    shop(tmp_path / "shop")
    done = vitrine(
        *(tmp_path / "shop", "--encoder", small, "--out", tmp_path / "out", "--rank", 4),
        *("--epochs", 3, "--learning-rate", 0.01, "--batch-size", 32),
        *("--json", tmp_path / "figures.json"),
    )
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "figures.json").read_text())
    after = figures["after"]["text_to_image_r10"]
    (line,) = [s for s in done.output.splitlines() if "text to image, Recall@10" in s]
    assert f"{figures['before']['text_to_image_r10']:.3f}" in line
    assert f"{after:.3f}" in line
    assert f"{figures['held_out_items']} held-out items of 200" in done.output
    assert "bought together" not in done.output.partition("held-out items of")[2]
    assert f"Encoder: {tmp_path / 'out'}" in done.output
    assert Encoder.open(str(tmp_path / "out")).dim == 32


def test_the_command_says_that_nothing_was_gained(tmp_path, small):
    shop(tmp_path / "shop")
    done = vitrine(
        *(tmp_path / "shop", "--encoder", small, "--out", tmp_path / "out"),
        *("--epochs", 1, "--learning-rate", 1e-12),
    )
    assert done.exit_code == 1
    assert "Nothing written: 1 of 1 epochs, and none finds more" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tower", "left"], "tower is 'left'"),
        (["--depth", "0"], "depth is 0.0"),
        (["--as-of", "2024-01-01", "--hold-out-weeks", "1"], "expected one of them"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(tmp_path, small, arguments, said):
    shop(tmp_path / "shop")
    done = vitrine(tmp_path / "shop", "--encoder", small, "--out", tmp_path / "out", *arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())

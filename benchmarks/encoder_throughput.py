"""Pictures per second: files to vectors, against the bare forward pass of the same model.

    python -m benchmarks.encoder_throughput [--data FOLDER] [--clip-retrieval PYTHON]

All that is compared is measured in turns within one run, and medians are taken, so a ratio does
not depend on the machine's mood. ``--clip-retrieval`` names the interpreter of an environment that
clip-retrieval is installed in; it then encodes the same files with the same ViT-B-32.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import open_clip  # type: ignore[import-untyped]
import polars as pl
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from encoders import Encoder, VectorCache
from encoders.bulk import encode_pictures
from encoders.inference import Inference
from encoders.prepare import scale_pixels

ROUNDS = 7
ARCHITECTURE = "ViT-B-32"
THEIR_SCRIPT = Path(__file__).with_name("clip_retrieval_reader.py")


@dataclass(frozen=True, slots=True)
class ThroughputCases:
    """Pictures per second, each the median over the rounds."""

    end_to_end: float
    """From the bytes of files to vectors in an empty cache."""
    forward: float
    """The model as the encoder lays it out, on tensors that are ready."""
    plain_forward: float
    """open_clip's own model in float32, on the same tensors."""
    preparing: float
    """Decoding and resizing alone, in one thread."""

    @property
    def ratio(self) -> float:
        """End to end against the forward pass as it is laid out."""
        return self.end_to_end / self.forward

    @property
    def plain_ratio(self) -> float:
        """End to end against open_clip's own forward pass."""
        return self.end_to_end / self.plain_forward


def measure_throughput(
    encoder: Encoder,
    pictures: Sequence[bytes],
    *,
    plain: Encoder | None = None,
    rounds: int = ROUNDS,
) -> ThroughputCases:
    """Measure an encoder on picture files.

    Args:
        encoder: What is measured.
        pictures: Files, all different: identical ones are encoded once.
        plain: The same model in float32; by default the bundled one.
        rounds: How often each figure is taken.

    Raises:
        ValueError: Two files are identical.
    """
    if len(set(pictures)) != len(pictures):
        raise ValueError(f"{len(pictures)} pictures, of which {len(set(pictures))} differ")
    plain = plain or Encoder.open("bundled", precision="float32")
    batches = _batches(encoder, pictures)
    some = pictures[:: max(1, len(pictures) // 64)]
    seconds = _in_turns(
        (
            lambda: _end_to_end(encoder, pictures),
            lambda: _forward(encoder.inference, batches),
            lambda: _forward(plain.inference, batches),
            lambda: [encoder.prepare_image(picture) for picture in some],
        ),
        rounds,
    )
    counts = (len(pictures), len(pictures), len(pictures), len(some))
    return ThroughputCases(*(n / s for n, s in zip(counts, seconds, strict=True)))


def _in_turns(works: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Median seconds of each work; the first round warms up and is not counted."""
    seconds = np.empty((rounds + 1, len(works)))
    for turn in range(rounds + 1):
        for column, work in enumerate(works):
            started = time.perf_counter()
            work()
            seconds[turn, column] = time.perf_counter() - started
    medians: list[float] = np.median(seconds[1:], axis=0).tolist()
    return medians


def _batches(encoder: Encoder, pictures: Sequence[bytes]) -> list[Tensor]:
    prepared = np.stack([encoder.prepare_image(picture) for picture in pictures])
    device = encoder.inference.device
    return [
        scale_pixels(torch.from_numpy(part).to(device), encoder.preprocessing)
        for part in np.split(
            prepared, range(encoder.image_batch, len(prepared), encoder.image_batch)
        )
    ]


@torch.inference_mode()
def _forward(inference: Inference, batches: Sequence[Tensor]) -> None:
    for batch in batches:
        inference.encode_pictures(batch).cpu()


def _end_to_end(encoder: Encoder, pictures: Sequence[bytes]) -> None:
    names = [str(row) for row in range(len(pictures))]
    with TemporaryDirectory() as folder:
        got = encode_pictures(VectorCache(folder), encoder, names, lambda name: pictures[int(name)])
    if not got.known.all():
        raise ValueError(f"{len(got.rejected)} pictures were rejected: {got.rejected[:3]}")


@dataclass(frozen=True, slots=True)
class Rivals:
    """Pictures per second on the same files with the same model."""

    ours: float
    clip_retrieval: float


def against_clip_retrieval(
    python: Path, pictures: Sequence[bytes], *, rounds: int = ROUNDS
) -> Rivals:
    """Measure clip-retrieval's reader and mapper, which is its inference without its writer.

    Raises:
        RuntimeError: clip-retrieval does not run; says why.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        for row, picture in enumerate(pictures):
            (folder / "pictures" / f"{row:06}.jpg").write_bytes(picture)
        checkpoint = folder / "random.safetensors"
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = open_clip.create_model(ARCHITECTURE)
        save_file(model.state_dict(), checkpoint)
        encoder = Encoder.open(f"{ARCHITECTURE}:{checkpoint}")
        files = sorted((folder / "pictures").iterdir())
        errors = folder / "stderr.txt"
        model_name = f"open_clip:{ARCHITECTURE}/{checkpoint}"
        with errors.open("wb") as stream:
            theirs = subprocess.Popen(
                [python, THEIR_SCRIPT, model_name, folder / "pictures"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                bufsize=0,
            )

        def ours() -> None:
            _end_to_end(encoder, [file.read_bytes() for file in files])

        try:
            seconds = _in_turns((ours, lambda: _ask(theirs, errors)), rounds)
        finally:
            theirs.kill()
            theirs.wait()
    return Rivals(*(len(pictures) / second for second in seconds))


def _ask(process: subprocess.Popen[bytes], errors: Path) -> None:
    """Have the other process make one pass, and wait for it."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process has no pipes")
    answer = b""
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(b"go\n")
        answer = process.stdout.readline()
    if answer != b"done\n":
        raise RuntimeError(f"clip-retrieval does not run: {errors.read_text()[-2000:]}")


def enlarged(picture: bytes, side: int = 2000) -> bytes:
    """A photo whose longer side has so many pixels, as JPEG."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    scale = side / max(image.size)
    file = BytesIO()
    image.resize(
        (round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC
    ).save(file, "JPEG", quality=90)
    return file.getvalue()


def main() -> None:
    """Measure photos of several sizes, print what comes out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encoder_throughput")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--clip-retrieval", type=Path, metavar="PYTHON")
    parser.add_argument("--pictures", type=int, default=384)
    options = parser.parse_args()
    encoder = Encoder.open("bundled")
    captioned, grocery = (
        _photos(options.data / f"{name}.parquet", options.pictures)
        for name in ("captioned_photos", "grocery_photos")
    )
    large = [enlarged(photo) for photo in captioned[: max(8, options.pictures // 4)]]
    for name, photos in (("captioned", captioned), ("grocery", grocery), ("2,000 px", large)):
        found = measure_throughput(encoder, photos)
        figures = asdict(found) | {"ratio": found.ratio, "plain_ratio": found.plain_ratio}
        print(name, json.dumps({key: round(value, 3) for key, value in figures.items()}))
    if options.clip_retrieval:
        rivals = against_clip_retrieval(options.clip_retrieval, captioned[:128], rounds=3)
        print(ARCHITECTURE, json.dumps(asdict(rivals)))


def _photos(file: Path, count: int) -> list[bytes]:
    rows = pl.scan_parquet(file).filter(pl.col("split") == "test")
    return (
        rows.unique("image", keep="first", maintain_order=True)
        .head(count)
        .collect()["image"]
        .to_list()
    )


if __name__ == "__main__":
    main()

"""The commands that find items: ``vitrine similar``, ``complements`` and ``search``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import DataError
from engine.terminal import show

if TYPE_CHECKING:
    from engine.recommend import Engine
    from engine.recommendation import Recommendation

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that train wrote.")]
Count = Annotated[int, typer.Option("-k", "--count", min=1, max=1000, help="How many items.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, with evidence and trace.")]
Photo = Annotated[
    Path | None, typer.Option("--image", exists=True, dir_okay=False, help="A photo.")
]
StoreUrl = Annotated[
    str | None,
    typer.Option(help="SQLAlchemy URL of the event store; by default SQLite in the run's folder."),
]
LIKENESSES = ("all", "looks", "reads", "instead")


def ask(
    run: Path, store_url: str | None, question: Callable[[Engine], list[Recommendation]]
) -> list[Recommendation]:
    """Open a run, ask once, close it.

    Raises:
        DataError: The photo that was asked with cannot be read.
    """
    from encoders import ImageError
    from engine.recommend import Engine

    with Engine.open(run, store_url=store_url) as engine:
        try:
            return question(engine)
        except ImageError as error:
            raise DataError(f"--image: {error}") from error


def similar(
    run: RunFolder,
    item: Annotated[str, typer.Argument(metavar="ITEM", help="Item id.")],
    likeness: Annotated[
        str, typer.Option(help=f"In what way: {', '.join(LIKENESSES)}.", metavar="WAY")
    ] = "all",
    k: Count = 10,
    as_json: AsJson = False,
    store_url: StoreUrl = None,
) -> None:
    """Find items that look, read and sell like one."""
    if likeness not in LIKENESSES:
        raise typer.BadParameter(f"got {likeness!r}, expected one of {', '.join(LIKENESSES)}")
    found = ask(run, store_url, lambda engine: engine.similar(item, k=k, likeness=likeness))
    show(found, f"Similar to {item}", as_json=as_json)


def complements(
    run: RunFolder,
    items: Annotated[
        list[str] | None, typer.Argument(metavar="[ITEM]...", help="Item ids: a basket.")
    ] = None,
    image: Photo = None,
    k: Count = 10,
    as_json: AsJson = False,
    store_url: StoreUrl = None,
) -> None:
    """Find what goes with an item, a basket, or the room in a photo; no substitutes."""
    if bool(items) == bool(image):
        raise typer.BadParameter("expected items or --image, one of the two")
    of = image.read_bytes() if image else tuple(items or ())
    found = ask(run, store_url, lambda engine: engine.complements(of, k=k))
    show(found, f"Goes with {image or ', '.join(items or ())}", as_json=as_json)


def search(
    run: RunFolder,
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="Words.")] = None,
    image: Photo = None,
    k: Count = 10,
    as_json: AsJson = False,
    store_url: StoreUrl = None,
) -> None:
    """Find items by words, by a photo, or by both."""
    if text is None and image is None:
        raise typer.BadParameter("got neither words nor a photo, expected TEXT, --image or both")
    photo = image.read_bytes() if image else None
    found = ask(run, store_url, lambda engine: engine.search(text=text, image=photo, k=k))
    show(found, f"Search for {text or image}", as_json=as_json)


COMMANDS: dict[Callable[..., None], str] = {
    similar: "Example: vitrine similar runs/demo product-1082185 -k 5 --likeness looks",
    complements: "Example: vitrine complements runs/demo product-1082185 product-995242\n\n"
    "Example: vitrine complements runs/shop --image room.jpg",
    search: 'Example: vitrine search runs/demo "something for breakfast"\n\n'
    "Example: vitrine search runs/demo --image photo.jpg",
}
"""The commands, and the examples below their help."""

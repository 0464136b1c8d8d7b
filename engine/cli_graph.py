"""The commands ``vitrine graph stats`` and ``vitrine graph show``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from engine.terminal import Commands, console

if TYPE_CHECKING:
    from graph import GraphStats

EPILOG = "Example: vitrine graph stats runs/shop"
SHOW_EPILOG = (
    'Example: vitrine graph show runs/shop "category:Food > Bread" --hops 2\n\n'
    "Example: vitrine graph show runs/shop sku-1 --out sku-1.svg"
)

app = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode="markdown")

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that train wrote.")]


@app.callback()
def _options() -> None:
    """Look into the knowledge graph of a run."""


@app.command(epilog=EPILOG)
def stats(run: RunFolder) -> None:
    """Count the nodes of every type and the edges of every relation."""
    from engine.show_graph import NamedGraph

    found = NamedGraph.open(run).kg.stats()
    console.print(_nodes(found))
    console.print(_edges(found))
    total = sum(n for _, n in found.n_edges)
    each = found.n_bytes / max(total, 1)
    line = (
        f"{total:,} edges take {found.n_bytes / 1e6:,.1f} MB: {each:.0f} bytes each, nodes included"
    )
    console.print(Text(line), soft_wrap=True)


@app.command(epilog=SHOW_EPILOG)
def show(
    run: RunFolder,
    node: Annotated[
        str,
        typer.Argument(metavar="NODE", help="type:name, or the bare id of an item or a user."),
    ],
    hops: Annotated[int, typer.Option(min=1, max=4, help="How far to look.")] = 1,
    limit: Annotated[int, typer.Option(min=2, max=2000, help="Nodes of the file at most.")] = 60,
    out: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write the surroundings here: .svg or .graphml."),
    ] = None,
) -> None:
    """Show what a node is joined with: as a tree here, as a picture or GraphML in a file."""
    from engine.show_graph import NamedGraph, draw
    from graph.export import write_graphml

    if out is not None and out.suffix.lower() not in (".svg", ".graphml"):
        raise typer.BadParameter(f"got {str(out)!r}, expected a name in .svg or .graphml")
    named = NamedGraph.open(run)
    row = named.find(node)
    console.print(named.tree(row, hops))
    if out is None:
        return
    view = named.kg.neighborhood(row, hops, limit)
    labels = named.labels(view)
    if out.suffix.lower() == ".svg":
        out.write_text(draw(view, labels, row), encoding="utf-8")
    else:
        write_graphml(view, out, labels)
    line = f"{view.number_of_nodes():,} nodes, {view.number_of_edges():,} edges: {out}"
    console.print(Text(line), soft_wrap=True)


def _nodes(found: GraphStats) -> Table:
    table = Table(title="Nodes", title_justify="left")
    table.add_column("type")
    table.add_column("nodes", justify="right")
    for kind, n in found.n_nodes:
        table.add_row(Text(str(kind)), f"{n:,}")
    return table


def _edges(found: GraphStats) -> Table:
    table = Table(title="Edges", title_justify="left")
    for name in ("from", "relation", "to"):
        table.add_column(name)
    table.add_column("edges", justify="right")
    for kind, n in found.n_edges:
        table.add_row(*map(Text, map(str, kind)), f"{n:,}")
    return table

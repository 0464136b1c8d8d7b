"""Where each part of a run lies, and how it is read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from scipy import sparse

from engine import facet_files
from engine.artifacts import (
    load_arrays,
    load_record,
    read_json,
    save_arrays,
    save_record,
    write_json,
)
from engine.errors import ManifestError
from engine.interactions import Floats, Ints
from engine.learn import Past
from retrieval.crowd import Crowd
from retrieval.neighbours import Neighbours
from retrieval.partners import Partners
from retrieval.rerank.batch import Tokens
from retrieval.rerank.examples import Examples
from retrieval.rerank.features import World
from retrieval.rerank.intervals import IntervalTable
from retrieval.rerank.model import Reranker, Shape
from retrieval.rerank.offers import OfferCalendar
from retrieval.rerank.records import History, ItemTable
from retrieval.rerank.trends import Trends

MODEL_FILE = "model.safetensors"
INTERVALS_FILE = "intervals.safetensors"
LINEAR_FILE = "linear.safetensors"
RELATIONS_FILE = "relation_weights.json"


def item_vectors(graph: Path) -> Floats:
    """Graph vectors of the items, float32 ``[I, G]``."""
    vectors: Floats = load_arrays(graph / "vectors.safetensors")["items"]
    return vectors


def save_relation_weights(graph: Path, weights: Mapping[str, float]) -> None:
    """Write what the network lets each relation count; nothing where it has learned nothing."""
    if weights:
        write_json(graph / RELATIONS_FILE, dict(weights))


def relation_weights(graph: Path) -> Mapping[str, float]:
    """What the network lets each relation count, of a graph stage; empty without a network."""
    file = graph / RELATIONS_FILE
    return {str(k): float(v) for k, v in read_json(file).items()} if file.is_file() else {}


def neighbours(graph: Path) -> Neighbours:
    """Item neighbours of a graph stage."""
    return load_record(graph / "neighbours.safetensors", Neighbours)


def partners(graph: Path) -> Partners:
    """What lies in one basket with what, of a graph stage."""
    return load_record(graph / "partners.safetensors", Partners)


def linear(graph: Path) -> Neighbours | None:
    """What speaks for what, of a graph stage; None of one that was made before that was kept."""
    file = graph / LINEAR_FILE
    return load_record(file, Neighbours) if file.is_file() else None


def save_examples(folder: Path, examples: Examples) -> None:
    """Write training requests."""
    save_record(folder / "tokens.safetensors", examples.tokens)
    rest = {f.name: getattr(examples, f.name) for f in fields(examples) if f.name != "tokens"}
    save_arrays(folder / "examples.safetensors", rest)


def load_examples(folder: Path) -> Examples:
    """Read training requests."""
    tokens = load_record(folder / "tokens.safetensors", Tokens)
    return Examples(tokens=tokens, **load_arrays(folder / "examples.safetensors"))


def save_reranker(folder: Path, model: Reranker) -> None:
    """Write a network's weights and shape."""
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / MODEL_FILE)
    write_json(folder / "shape.json", asdict(model.shape))


def load_reranker(folder: Path, items: Floats, group: Ints, *, n_features: int) -> Reranker:
    """Read a network, ready to score.

    Raises:
        ManifestError: The files are missing or do not fit each other.
    """
    shape = read_json(folder / "shape.json")
    shape["task_names"] = tuple(shape["task_names"])
    if shape.get("n_features") != n_features:
        raise ManifestError(
            f"{folder}: made for {shape.get('n_features')} features, this version has "
            f"{n_features}; train again"
        )
    model = Reranker(Shape(**shape), torch.from_numpy(items), torch.from_numpy(group))
    try:
        model.load_state_dict(load_file(folder / MODEL_FILE))
    except (OSError, RuntimeError) as error:
        raise ManifestError(f"{folder}: weights do not fit their shape: {error}") from error
    return model.eval()


def save_past(run: Path, past: Past) -> None:
    """Write the users' histories, with the row of each user's first event."""
    save_record(run / "history.safetensors", past.history)
    save_arrays(run / "users.safetensors", {"offsets": past.events.user_offsets()})
    facet_files.save_codes(run, past.events.facets)


def load_past(run: Path) -> tuple[History, Ints]:
    """Histories of all users, and int64 ``[U + 1]`` rows where each user's begins."""
    history = load_record(run / "history.safetensors", History)
    return history, load_arrays(run / "users.safetensors")["offsets"]


def save_world(run: Path, world: World) -> None:
    """Write items, trends and offers."""
    items, trends, offers = world.items, world.trends, world.offers
    save_arrays(
        run / "items.safetensors",
        {
            "groups": items.groups,
            "n_groups": np.array(items.n_groups, dtype=np.int64),
            "log_price": items.log_price,
            "recommendable": items.recommendable,
        },
    )
    plain = {
        f.name: np.asarray(getattr(trends, f.name))
        for f in fields(trends)
        if f.name not in ("place_counts", "place_recent", "group_counts", "groups")
    }
    plain |= _sparse_parts("place_counts", trends.place_counts)
    plain |= _sparse_parts("place_recent", trends.place_recent)
    plain |= {f"group_counts_{i}": counts for i, counts in enumerate(trends.group_counts)}
    save_arrays(run / "trends.safetensors", plain)
    calendar = {f.name: np.asarray(getattr(offers, f.name)) for f in fields(offers)}
    save_arrays(run / "offers.safetensors", calendar)
    crowd = world.crowd
    save_arrays(
        run / "crowd.safetensors",
        {"row": crowd.row, "taste": crowd.taste, **_sparse_parts("profile", crowd.profile)},
    )
    facet_files.save_facets(run, world.facets)
    if world.needs is not None:
        _save_intervals(run / INTERVALS_FILE, world.needs)


def load_world(run: Path) -> World:
    """Read items, trends and offers."""
    items = load_arrays(run / "items.safetensors")
    table = ItemTable(
        items["groups"],
        tuple(int(n) for n in items["n_groups"]),
        items["log_price"],
        items["recommendable"],
    )
    offers = load_arrays(run / "offers.safetensors")
    n_items = int(offers.pop("n_items").item())
    calendar = OfferCalendar(n_items=n_items, **offers)
    crowd = load_arrays(run / "crowd.safetensors")
    people = Crowd(profile=_sparse("profile", crowd), **crowd)
    facets = facet_files.load_facets(run)
    needs = _load_intervals(run / INTERVALS_FILE)
    trends, speaks = _load_trends(run, table.groups), linear(run / "graph")
    return World(table, trends, calendar, people, facets, needs, speaks)


def _save_intervals(file: Path, table: IntervalTable) -> None:
    save_arrays(file, {name: np.asarray(value) for name, value in asdict(table).items()})


def _load_intervals(file: Path) -> IntervalTable | None:
    """How often items are taken again; None of a run that was made before that was kept."""
    if not file.is_file():
        return None
    arrays = load_arrays(file)
    return IntervalTable(
        log_days=arrays["log_days"],
        variance=arrays["variance"],
        return_rate=arrays["return_rate"],
        pair_variance=float(arrays["pair_variance"].item()),
        user_variance=float(arrays["user_variance"].item()),
        loyalty=float(arrays["loyalty"].item()),
    )


def _load_trends(run: Path, groups: Ints) -> Trends:
    arrays = load_arrays(run / "trends.safetensors")
    places, recent = (_sparse(name, arrays) for name in ("place_counts", "place_recent"))
    group_counts = tuple(arrays.pop(f"group_counts_{i}") for i in range(len(groups)))
    as_of = int(arrays.pop("as_of_unix_s").item())
    return Trends(
        as_of_unix_s=as_of,
        place_counts=places,
        place_recent=recent,
        group_counts=group_counts,
        groups=groups,
        **arrays,
    )


def _sparse_parts(name: str, matrix: sparse.csr_matrix) -> dict[str, np.ndarray]:
    return {
        f"{name}.data": matrix.data,
        f"{name}.indices": matrix.indices,
        f"{name}.indptr": matrix.indptr,
        f"{name}.shape": np.array(matrix.shape, dtype=np.int64),
    }


def _sparse(name: str, arrays: dict[str, np.ndarray]) -> sparse.csr_matrix:
    """Take a matrix's parts out of the arrays."""
    parts = tuple(arrays.pop(f"{name}.{part}") for part in ("data", "indices", "indptr"))
    return sparse.csr_matrix(parts, shape=tuple(arrays.pop(f"{name}.shape").tolist()))

"""Where the facets of a run's scenes lie; a run without facets has none of these files."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from engine.artifacts import load_arrays, save_arrays
from retrieval.rerank.facets import Codes, Facets, FacetTable

CODES_FILE, TABLES_FILE = "event_facets.safetensors", "facets.safetensors"


def save_codes(run: Path, codes: Codes | None) -> None:
    """Write the codes of the run's events, int16 ``[E, K]``."""
    if codes is not None:
        save_arrays(run / CODES_FILE, {"codes": codes})


def load_codes(run: Path) -> Codes | None:
    """Read what :func:`save_codes` wrote; None where the run has no facets."""
    file = run / CODES_FILE
    return load_arrays(file)["codes"] if file.is_file() else None


def save_facets(run: Path, facets: Facets) -> None:
    """Write the tables; their order is part of their names."""
    arrays = {
        f"{at}.{facet.name}.{field.name}": getattr(facet, field.name)
        for at, facet in enumerate(facets)
        for field in fields(facet)
        if field.name != "name"
    }
    if arrays:
        save_arrays(run / TABLES_FILE, arrays)


def load_facets(run: Path) -> Facets:
    """Read what :func:`save_facets` wrote."""
    if not (run / TABLES_FILE).is_file():
        return ()
    arrays = load_arrays(run / TABLES_FILE)
    heads = {key.rpartition(".")[0] for key in arrays}
    tables = sorted((int(at), name) for at, _, name in (head.partition(".") for head in heads))
    parts = [field.name for field in fields(FacetTable) if field.name != "name"]
    return tuple(
        FacetTable(name, *(np.asarray(arrays[f"{at}.{name}.{part}"]) for part in parts))
        for at, name in tables
    )

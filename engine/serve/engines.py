"""The engines of a worker: the run that is served, and those that experiments try beside it."""

from __future__ import annotations

from pathlib import Path

from engine.artifacts import Checked
from engine.experiments.routing import Engines
from engine.filters import FilterColumns
from engine.recommend import Engine
from engine.serve.schemas import Call, ObserveRequest
from engine.serve.warm_up import warm_up


def open_engines(
    run: Path, store_url: str, rules: Path | None = None, checked: Checked | None = None
) -> Engines:
    """Open a run and those of its experiments, each warm before it answers anybody.

    Args:
        run: That is served.
        store_url: The store of all of them.
        rules: Folder of the policy and the experiments; None is that of the run.
        checked: Files that need not be hashed again.

    Raises:
        VitrineError: One of them cannot be opened, or a file of rules cannot be used.
    """

    def opened(folder: Path, rules: Path | None) -> Engine:
        engine = Engine.open(folder, store_url=store_url, rules=rules, checked=checked)
        engine.prepare_changes()
        engine.run.catalogue.derived(FilterColumns.of)  # else the first filter would wait for it
        warm_up(engine, store_url)
        return engine

    usual = opened(run, rules)
    engines = Engines(usual, lambda folder: opened(folder, usual.house.folder))
    engines.watch()
    return engines


def engine_for(call: Call, engines: Engines) -> Engine:
    """Whose call it is decides, or else which run knows the items that it names."""
    user_id = getattr(call, "user_id", None)
    if user_id is not None:
        return engines.of(user_id)
    return engines.knowing(_items_of(call))


def _items_of(call: Call) -> tuple[str, ...]:
    if isinstance(call, ObserveRequest):
        return tuple(event.item_id for event in call.events)
    item_id = getattr(call, "item_id", None)
    return getattr(call, "item_ids", ()) if item_id is None else (item_id,)

"""The commands ``vitrine policy schema``, ``check``, ``preview`` and ``estimate``."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from engine.cli_find import Count, RunFolder, StoreUrl
from engine.errors import DataError
from engine.terminal import Commands, checked, console

if TYPE_CHECKING:
    from engine.evaluate.bootstrap import Interval
    from engine.experiments.off_policy import Estimated
    from engine.recommendation import Preview
    from engine.types import EventKind

EPILOG = "Example: vitrine policy schema --out policy.schema.json"
CHECK_EPILOG = "Example: vitrine policy check runs/shop/state/policy.yaml"
PREVIEW_EPILOG = "Example: vitrine policy preview runs/shop user-17 spring.yaml --time 2026-03-20"
ESTIMATE_EPILOG = (
    "Example: vitrine policy estimate runs/shop spring.yaml --kind click --depth 3 "
    "--since 2026-03-01"
)
FEW_LISTS = 100
"""Effective lists below which an estimate is no ground for a decision."""

app = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode="markdown")

PolicyPath = Annotated[
    Path, typer.Argument(metavar="POLICY.yaml", exists=True, dir_okay=False, help="Policy file.")
]


@app.callback()
def _options() -> None:
    """Write, try and estimate the rules between the scores and the list."""


@app.command(epilog=EPILOG)
def schema(
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="Write it here.")] = None,
) -> None:
    """Print the JSON schema of a policy file, for editors that check as one types."""
    from engine.policy.file import policy_schema

    text = policy_schema()
    if out is None:
        typer.echo(text, nl=False)
        return
    out.write_text(text, encoding="utf-8")
    line = f"Schema: {out}. First line of a policy:  # yaml-language-server: $schema={out}"
    console.print(Text(line), soft_wrap=True)


@app.command(epilog=CHECK_EPILOG)
def check(policy: PolicyPath) -> None:
    """Read a policy file and say what is wrong with it, line by line."""
    from engine.policy.file import read_policy

    console.print(Text(f"Good: {read_policy(policy).version}"), soft_wrap=True)


@app.command(epilog=PREVIEW_EPILOG)
def preview(
    run: RunFolder,
    user: Annotated[str, typer.Argument(metavar="USER", help="User id; unknown ones are new.")],
    policy: PolicyPath,
    time: Annotated[
        str | None, typer.Option(help="ISO 8601, in the shop's zone; by default now.")
    ] = None,
    place: Annotated[str | None, typer.Option(help="Store or site.")] = None,
    k: Count = 10,
    store_url: StoreUrl = None,
) -> None:
    """Show a user's list as it is, and as a policy would make it, with the rules that acted."""
    from engine.policy.file import read_policy
    from engine.recommend import Engine
    from engine.scene import Scene

    rules = read_policy(policy)
    with checked():
        scene = Scene.model_validate({"time": time, "place": place})
    with Engine.open(run, store_url=store_url) as engine:
        seen = engine.preview(user, rules, scene, k=k)
    console.print(_compared(seen, f"For {user}, under {rules.version}"))


@app.command(epilog=ESTIMATE_EPILOG)
def estimate(
    run: RunFolder,
    policy: PolicyPath,
    kind: Annotated[str, typer.Option(help="Act that counts, of lists that were shown.")] = "click",
    depth: Annotated[
        int, typer.Option(min=1, max=100, help="Slots of each list; fewer are surer.")
    ] = 3,
    since: Annotated[str | None, typer.Option(help="First day or moment of the log.")] = None,
    before: Annotated[str | None, typer.Option(help="First day or moment after it.")] = None,
    level: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of the intervals.")] = 0.95,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    store_url: StoreUrl = None,
) -> None:
    """Estimate what a policy would have earned, from lists that another policy drew.

    The log must explore: some of its slots must have been given to chance.
    """
    from engine.experiments.counterfactual import Question, evaluate_policy
    from engine.moments import read_moment
    from engine.policy.file import read_policy
    from engine.publish import store_url_of
    from engine.runtime import load_run
    from engine.store import EventStore

    act, rules = _kind(kind), read_policy(policy)
    loaded = load_run(run)
    first = read_moment(since, loaded.zone) if since else datetime(1971, 1, 1, tzinfo=UTC)
    last = read_moment(before, loaded.zone) if before else datetime.now(UTC)
    with EventStore.open(store_url or store_url_of(run)) as store:
        asked = Question(rules, act, first, last, depth, level)
        found = evaluate_policy(loaded, store, asked)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
        return
    console.print(_estimates(found, f"{rules.version}: {kind}s per list of {depth}"))
    for line in _cautions(found):
        console.print(Text(line, style="yellow"), soft_wrap=True)


def _kind(name: str) -> EventKind:
    from engine.types import EventKind

    try:
        return EventKind(name)
    except ValueError as error:
        known = ", ".join(EventKind)
        raise DataError(f"--kind: got {name!r}, expected one of {known}") from error


def _compared(seen: Preview, title: str) -> Table:
    table = Table(title=Text(title), title_justify="left")
    table.add_column("", justify="right")
    for name in ("before", "after", "moved", "rules"):
        table.add_column(name)
    places = {one.item.item_id: one.rank for one in seen.before}
    for rank in range(max(len(seen.before), len(seen.after))):
        was = seen.before[rank].item.title if rank < len(seen.before) else ""
        if rank >= len(seen.after):
            table.add_row(str(rank + 1), Text(was), "", "", "")
            continue
        now = seen.after[rank]
        before = places.get(now.item.item_id)
        moved = "new" if before is None else f"{before - now.rank:+d}" if before - now.rank else ""
        rules = "; ".join(now.trace.rules)
        table.add_row(str(rank + 1), Text(was), Text(now.item.title), moved, Text(rules))
    return table


def _estimates(found: Estimated, title: str) -> Table:
    table = Table(title=Text(title), title_justify="left")
    table.add_column("estimate")
    table.add_column("per list", justify="right")
    table.add_column("interval", justify="right")
    rows: tuple[tuple[str, Interval], ...] = (
        ("shown, as it was", found.logging),
        ("inverse propensity", found.ips),
        ("self-normalised", found.snips),
        ("doubly robust", found.doubly_robust),
    )
    for name, interval in rows:
        span = f"{interval.low:.4f} to {interval.high:.4f}"
        table.add_row(name, f"{interval.estimate:.4f}", span)
    table.caption = Text(
        f"{found.n_lists:,} lists, as good as {found.effective_lists:,.0f} of its own; "
        f"mean weight {found.mean_weight:.3f}"
    )
    return table


def _cautions(found: Estimated) -> list[str]:
    said = []
    if found.effective_lists < FEW_LISTS:
        said.append(
            f"Only {found.effective_lists:,.0f} effective lists: serve longer, explore more, or "
            "ask of fewer slots (--depth)."
        )
    if abs(found.mean_weight - 1.0) > 0.2:
        said.append(
            f"The mean weight is {found.mean_weight:.2f} and should be 1: the log could hardly "
            "have drawn the lists of this policy."
        )
    return said

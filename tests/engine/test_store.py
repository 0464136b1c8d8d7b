"""The store: what it acknowledged is there, whatever happens to the process."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import sqlalchemy
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import DataError, RunError
from engine.store import Erased, EventStore, Impression, Slot
from engine.store.migrate import HEAD, STEPS
from engine.store.schema import metadata
from engine.types import Event, EventKind

NOON = datetime(2017, 12, 22, 12, tzinfo=UTC)
FORK = multiprocessing.get_context("fork")
SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


def event(user: str = "ann", item: str = "tea", minutes: float = 0, **rest: object) -> Event:
    made = Event(user, item, EventKind.PURCHASE, NOON + timedelta(minutes=minutes))
    return replace(made, **rest)


def impression(request: str = "r1", user: str = "ann") -> Impression:
    slots = (Slot("tea", 1, 0.9, {"graph": 0.8, "scene": 0.1}), Slot("café", 2, 0.5))
    return Impression(request, user, NOON, '{"place": "store-406"}', "run-1", slots)


def items(history: list[Event]) -> list[str]:
    return [one.item_id for one in history]


class Postgres:
    """A server of its own in a temporary folder, reached through a socket there."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.binaries, self.folder = binaries, folder
        self.run("initdb", "-A", "trust", "-U", "vitrine", "-E", "UTF8", "--locale=C")
        self.start()

    def run(self, tool: str, *arguments: str) -> None:
        command = [str(self.binaries / tool), "-D", str(self.folder / "data"), *arguments]
        if os.geteuid() == 0:  # which PostgreSQL refuses to run as
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses=''"
        self.run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-w", "-m", mode, "stop")

    def emptied(self) -> str:
        """URL of the server's one database, without a table in it."""
        with sqlalchemy.create_engine(self.url).begin() as connection:
            for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"):
                connection.execute(sqlalchemy.text(statement))
        return self.url.replace("+psycopg", "")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://vitrine@/postgres?host={self.folder}"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'psycopg[binary]'")
    if not SERVERS:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="vitrine-pg-"))
    if os.geteuid() == 0:
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("run by root, and there is no user postgres to run the server")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    server = Postgres(SERVERS[-1].parent, folder)
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return request.getfixturevalue("postgres").emptied()


@pytest.fixture
def store(url: str) -> Iterator[EventStore]:
    with EventStore.open(url) as opened:
        yield opened


AWKWARD = [
    "'; DROP TABLE events; --",
    '" OR 1=1 --',
    "%",
    "_",
    ":user_id",
    "?",
    "\\",
    "{seq}",
    "日本茶 🍵",
    "e\u0301",
    "\u00e9",
    " ",
    "\n",
    "x" * 500,
    "🍵" * 500,
]
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30
)


class TestStoreContract:
    def test_an_event_comes_back_as_it_was(self, store: EventStore) -> None:
        whole = Event(
            "ann", "tea", EventKind.RATING, NOON, "e1", 4.5, "visit-9", "store-406", "r-1"
        )
        bare = event(item="jam", minutes=1, event_id="e2")
        assert store.append([whole, bare]) == 2
        assert store.history("ann") == [whole, bare]

    def test_a_database_that_cannot_answer_is_told_of(self, store: EventStore, url: str) -> None:
        engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("DROP TABLE events"))
        engine.dispose()
        with pytest.raises(sqlalchemy.exc.SQLAlchemyError, match="events") as raised:
            store.history("someone private")
        assert "private" not in str(raised.value)
        assert store.live_items.version() == 0

    def test_a_stranger_has_no_history(self, store: EventStore) -> None:
        store.append([event()])
        assert store.history("nobody") == []

    def test_a_moment_is_kept_to_the_microsecond_in_any_zone(self, store: EventStore) -> None:
        moments = [
            datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2017, 12, 22, 18, 30, 0, 1, tzinfo=timezone(timedelta(hours=-5))),
            datetime(2999, 1, 1, 0, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=14))),
        ]
        store.append([event(timestamp=moment) for moment in moments])
        assert [one.timestamp for one in store.history("ann")] == moments

    def test_history_is_in_order_of_time_then_of_arrival(self, store: EventStore) -> None:
        store.append([event(item="late", minutes=9), event(item="b"), event(item="a")])
        store.append([event(item="early", minutes=-9), event(item="c")])
        assert items(store.history("ann")) == ["early", "b", "a", "c", "late"]

    def test_before_is_strict(self, store: EventStore) -> None:
        store.append([event(item="earlier", minutes=-1), event(item="now")])
        assert items(store.history("ann", before=NOON)) == ["earlier"]
        after = NOON + timedelta(microseconds=1)
        assert items(store.history("ann", before=after)) == ["earlier", "now"]

    def test_the_newest_are_kept_of_a_long_history(self, url: str) -> None:
        with EventStore.open(url, max_events_per_user=3) as store:
            store.append([event(item=str(at), minutes=at % 4) for at in range(8)])  # 0 4 1 5 2 6 …
            assert items(store.history("ann")) == ["6", "3", "7"]
            before = store.history("ann", before=NOON + timedelta(minutes=2))
            assert items(before) == ["4", "1", "5"]

    def test_a_delivery_may_be_repeated(self, store: EventStore) -> None:
        batch = [event(item=name, event_id=name) for name in "abc"]
        assert store.append(batch) == 3
        assert store.append(batch) == 0
        assert store.append([*batch, event(item="d", event_id="d")]) == 1
        assert store.append([event(item="other", event_id="a")]) == 0
        assert items(store.history("ann")) == ["a", "b", "c", "d"]

    def test_an_id_twice_in_a_batch_counts_once(self, store: EventStore) -> None:
        assert store.append([event(item="first", event_id="x"), event(event_id="x")]) == 1
        assert items(store.history("ann")) == ["first"]

    def test_events_without_an_id_are_all_kept(self, store: EventStore) -> None:
        assert store.append([event(), event()]) == 2
        first, second = store.history("ann")
        assert first.event_id
        assert first.event_id != second.event_id

    def test_nothing_is_nothing(self, store: EventStore) -> None:
        assert store.append([]) == 0
        assert store.log_impressions() == 0
        assert store.users() == 0

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("timestamp", datetime(2017, 12, 22)),
            ("value", float("nan")),
            ("kind", "bought"),
            ("value", float("inf")),
            ("user_id", ""),
            ("item_id", "x" * 501),
            ("event_id", ""),
            ("user_id", "a\0b"),
            ("place", "\ud800"),
            ("session_id", ""),
        ],
    )
    def test_a_refused_event_leaves_its_batch_out(
        self, store: EventStore, field: str, value: object
    ) -> None:
        with pytest.raises(DataError, match=field):
            store.append([event(), event(**{field: value})])
        assert store.history("ann") == []

    def test_an_unzoned_before_is_refused(self, store: EventStore) -> None:
        with pytest.raises(DataError, match="before"):
            store.history("ann", before=datetime(2017, 12, 22))

    @pytest.mark.parametrize("text", AWKWARD, ids=range(len(AWKWARD)))
    def test_awkward_text_is_only_text(self, store: EventStore, text: str) -> None:
        odd = Event(text, text, EventKind.VIEW, NOON, text, 1.0, text, text, text)
        shown = Impression(text, text, NOON, text, text, (Slot(text, 1, 0.5, {text: 1.0}),))
        store.append([odd, event()])
        store.log_impressions(shown, impression())
        assert store.history(text) == [odd]
        assert store.impressions(text) == shown
        assert store.users() == 2
        assert store.erase_user(text) == Erased(events=1, impressions=1)
        assert (store.history(text), store.impressions(text)) == ([], None)
        assert (len(store.history("ann")), store.impressions("r1")) == (1, impression())

    def test_users_are_counted_once(self, store: EventStore) -> None:
        store.append([event("ann"), event("ann"), event("bob")])
        assert store.users() == 2

    def test_an_impression_comes_back_as_it_was(self, store: EventStore) -> None:
        many = [impression(f"r{at}") for at in range(3)]
        assert store.log_impressions(*many) == 3
        assert [store.impressions(f"r{at}") for at in range(3)] == many
        assert store.impressions("unknown") is None

    def test_the_first_impression_of_a_request_stays(self, store: EventStore) -> None:
        longer = replace(impression(), slots=(*impression().slots, Slot("jam", 3, 0.1)))
        assert store.log_impressions(impression()) == 1
        assert store.log_impressions(longer, impression("r2")) == 1
        assert store.impressions("r1") == impression()

    @pytest.mark.parametrize(
        ("slot", "message"),
        [
            (Slot("jam", 1, 0.5), "rank"),
            (Slot("jam", 0, 0.5), "rank"),
            (Slot("", 3, 0.5), "item_id"),
            (Slot("jam", 3, float("nan")), "score"),
            (Slot("jam", 3, 0.5, {"graph": float("inf")}), "graph"),
        ],
    )
    def test_a_refused_impression_leaves_all_out(
        self, store: EventStore, slot: Slot, message: str
    ) -> None:
        refused = replace(impression("r2"), slots=(*impression().slots, slot))
        with pytest.raises(DataError, match=message):
            store.log_impressions(impression("r1"), refused)
        assert (store.impressions("r1"), store.impressions("r2")) == (None, None)

    @pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "x" * 501], ids=range(4))
    def test_what_cannot_be_an_id_is_refused_in_questions_too(
        self, store: EventStore, name: str
    ) -> None:
        for ask in (store.history, store.impressions, store.erase_user):
            with pytest.raises(DataError, match="_id: got"):
                ask(name)

    def test_an_empty_list_was_shown_too(self, store: EventStore) -> None:
        nothing = replace(impression(), slots=())
        store.log_impressions(nothing)
        assert store.impressions("r1") == nothing

    def test_erasure_takes_one_user_whole(self, store: EventStore) -> None:
        store.append([event("ann"), event("ann"), event("bob")])
        store.log_impressions(impression("r1", "ann"), impression("r2", "bob"))
        assert store.erase_user("ann") == Erased(events=2, impressions=1)
        assert store.erase_user("ann") == Erased(events=0, impressions=0)
        assert (store.history("ann"), store.impressions("r1")) == ([], None)
        assert items(store.history("bob")) == ["tea"]
        assert store.impressions("r2") == impression("r2", "bob")

    def test_a_reopened_store_knows_everything(self, url: str) -> None:
        with EventStore.open(url) as store:
            store.append([event(item="tea")])
        with EventStore.open(url) as store:
            store.append([event(item="jam")])
            assert items(store.history("ann")) == ["tea", "jam"]

    @settings(
        max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        acts=st.lists(
            st.tuples(texts, texts, st.integers(-(10**15), 10**16), st.floats(-1e300, 1e300)),
            min_size=1,
            max_size=8,
        )
    )
    def test_any_events_come_back_in_order(
        self, store: EventStore, acts: list[tuple[str, str, int, float]]
    ) -> None:
        epoch, user = datetime(1970, 1, 1, tzinfo=UTC), uuid.uuid4().hex
        batch = [
            Event(user, item, EventKind.CLICK, epoch + timedelta(microseconds=us), None, value, at)
            for item, at, us, value in acts
        ]
        store.append(batch)
        got = [replace(one, event_id=None) for one in store.history(user)]
        assert got == sorted(batch, key=lambda one: one.timestamp)

    def test_threads_read_what_they_wrote(self, store: EventStore) -> None:
        missed: list[str] = []

        def act(name: str) -> None:
            for at in range(15):
                mine, shared = event(name, str(at)), event("shared", f"{name}-{at}")
                store.append([mine, shared])
                if items(store.history(name)) != [str(one) for one in range(at + 1)]:
                    missed.append(name)
                if shared.item_id not in items(store.history("shared")):
                    missed.append("shared")

        threads = [threading.Thread(target=act, args=(f"t{at}",)) for at in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert missed == []
        assert len(store.history("shared")) == 6 * 15

    def test_processes_open_at_once_and_see_each_other(self, url: str) -> None:
        """Every process writes, says so, and then reads what all the others have said."""
        barrier, n = FORK.Barrier(4), 4

        def act(name: str, pipe: Connection) -> None:
            barrier.wait()
            with EventStore.open(url) as store:
                for at in range(10):
                    store.append([event("shared", f"{name}-{at}", event_id=f"{name}-{at}")])
                    store.append([event("shared", "same", event_id=f"same-{at}")])
                barrier.wait()
                pipe.send(len(store.history("shared")))

        pipes = [FORK.Pipe(duplex=False) for _ in range(n)]
        workers = [
            FORK.Process(target=act, args=(f"p{at}", pipes[at][1]), daemon=True) for at in range(n)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert [worker.exitcode for worker in workers] == [0] * n
        assert [reader.recv() for reader, _ in pipes] == [n * 10 + 10] * n

    def test_a_killed_writer_loses_nothing_acknowledged(self, url: str) -> None:
        acknowledged: list[str] = []
        for life in range(12):
            acknowledged += _acknowledged_until_killed(url, f"life{life}", 0.01 + 0.01 * life)
            with EventStore.open(url, max_events_per_user=10**6) as store:
                kept = items(store.history("ann"))
            assert set(acknowledged) <= set(kept)
            assert len(kept) % 3 == 0  # of a batch all or nothing
        assert len(acknowledged) > 12 * 3

    def test_a_store_of_a_newer_version_is_refused(self, url: str) -> None:
        EventStore.open(url).close()
        dialect = url.replace("postgresql:", "postgresql+psycopg:")
        with sqlalchemy.create_engine(dialect).begin() as connection:
            set_version = f"UPDATE alembic_version SET version_num = '{int(HEAD) + 1}'"
            connection.execute(sqlalchemy.text(set_version))
        message = f"version {int(HEAD) + 1}, expected at most {HEAD}"
        with pytest.raises(RunError, match=message):
            EventStore.open(url)

    def test_a_store_of_before_alembic_is_taken_over(self, url: str) -> None:
        with EventStore.open(url) as store:
            store.append([event()])
            store.log_impressions(impression())
        dialect = url.replace("postgresql:", "postgresql+psycopg:")
        with sqlalchemy.create_engine(dialect).begin() as connection:
            for statement in (
                "DROP TABLE alembic_version",
                "CREATE TABLE meta (schema_version INTEGER NOT NULL)",
                f"INSERT INTO meta VALUES ({HEAD})",
            ):
                connection.execute(sqlalchemy.text(statement))
        for _ in range(2):
            with EventStore.open(url) as store:
                assert items(store.history("ann")) == ["tea"]
                assert store.impressions("r1") == impression()
        tables = sqlalchemy.inspect(sqlalchemy.create_engine(dialect)).get_table_names()
        assert set(tables) == {*metadata.tables, "alembic_version"}

    def test_the_migrations_lead_to_the_tables(self, url: str) -> None:
        EventStore.open(url).close()
        dialect = url.replace("postgresql:", "postgresql+psycopg:")
        found = sqlalchemy.MetaData()
        found.reflect(sqlalchemy.create_engine(dialect))
        assert set(found.tables) == {*metadata.tables, "alembic_version"}
        for name, table in metadata.tables.items():
            made = found.tables[name].columns
            assert [one.name for one in made] == [one.name for one in table.columns]
            for got, want in zip(made, table.columns, strict=True):
                assert (got.primary_key, got.nullable) == (want.primary_key, want.nullable)
                assert got.type.python_type is want.type.python_type


def test_the_last_step_is_the_head() -> None:
    script = ScriptDirectory(str(STEPS), version_locations=[str(STEPS)])
    assert script.get_current_head() == HEAD
    assert [step.revision for step in script.walk_revisions()] == list("4321")


def _acknowledged_until_killed(url: str, life: str, seconds: float) -> list[str]:
    """Let a process append batches of three until SIGKILL; what it had acknowledged by then."""

    def act(pipe: Connection) -> None:
        store = EventStore.open(url)
        for at in range(10**6):
            names = [f"{life}-{at}-{part}" for part in range(3)]
            store.append([event(item=name, event_id=name) for name in names])
            pipe.send(names)

    reader, writer = FORK.Pipe(duplex=False)
    worker = FORK.Process(target=act, args=(writer,), daemon=True)
    worker.start()
    writer.close()
    acknowledged = reader.recv()
    time.sleep(seconds)
    os.kill(worker.pid or 0, signal.SIGKILL)
    try:
        while True:
            acknowledged += reader.recv()
    except EOFError:
        worker.join()
    return acknowledged


def test_a_crashed_server_loses_nothing_acknowledged(postgres: Postgres) -> None:
    url = postgres.emptied()
    with EventStore.open(url) as store:
        names = [str(at) for at in range(50)]
        for name in names:
            store.append([event(item=name)])
        postgres.stop("immediate")
        postgres.start()
        assert items(store.history("ann")) == names


def test_an_erased_user_leaves_no_bytes(tmp_path: Path) -> None:
    with EventStore.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        store.append([event("household-1228", f"item-{at}") for at in range(200)])
        store.append([event("household-77")])
        store.log_impressions(impression("r1", "household-1228"))
        store.erase_user("household-1228")
        left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"household-1228" not in left
    assert b"household-77" in left


def test_sqlite_commits_reach_the_disk(tmp_path: Path) -> None:
    store = EventStore.open(f"sqlite:///{tmp_path / 'store.db'}")
    with store._reads.connect() as connection:
        settings_now = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous")
        ]
    assert settings_now == ["wal", 2]  # 2 is FULL


def test_history_is_read_through_its_index(tmp_path: Path) -> None:
    EventStore.open(f"sqlite:///{tmp_path / 'store.db'}").close()
    plan = sqlite3.connect(tmp_path / "store.db").execute(
        "EXPLAIN QUERY PLAN SELECT item_id FROM events WHERE user_id = 'ann' AND at_us < 5 "
        "ORDER BY at_us DESC, seq DESC LIMIT 9"
    )
    (step,) = [line[3] for line in plan]  # a sort would be a step of its own
    assert step == "SEARCH events USING INDEX events_of_user (user_id=? AND at_us<?)"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("not a url", "expected a URL"),
        ("mysql://host/name", "got mysql"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///no/such/folder/store.db", "folder that exists"),
        ("postgresql://nobody@/none?host=/no/such/socket", "running server"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused(url: str, message: str) -> None:
    with pytest.raises(RunError, match=message):
        EventStore.open(url)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"these are somebody's notes, not a database\n" * 100)
    with pytest.raises(RunError, match="file is not a database"):
        EventStore.open(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"these are")


def test_a_password_stays_out_of_the_message() -> None:
    with pytest.raises(RunError) as caught:
        EventStore.open("postgresql://ann:secret@/none?host=/no/such/socket")
    assert "secret" not in str(caught.value)


def test_a_history_of_no_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="max_events_per_user"):
        EventStore.open(f"sqlite:///{tmp_path / 'store.db'}", max_events_per_user=0)


def test_a_read_survives_the_loss_of_its_connection(postgres: Postgres) -> None:
    url = postgres.emptied()
    with EventStore.open(url) as store:
        store.append([event()])
        assert items(store.history("ann")) == ["tea"]
        others = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(others))
        engine.dispose()
        assert items(store.history("ann")) == ["tea"]
        assert store.live_items.version() == 0


def test_many_threads_that_read_at_once_leave_room_for_each_other(url: str) -> None:
    n_threads = 12
    with EventStore.open(url) as store:
        store.append([event()])
        met = threading.Barrier(n_threads)
        found: list[list[str]] = []

        def act() -> None:
            met.wait()
            for _ in range(20):
                assert store.live_items.version() == 0
                found.append(items(store.history("ann")))

        threads = [threading.Thread(target=act) for _ in range(n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [["tea"]] * (20 * n_threads)
        assert store.users() == 1

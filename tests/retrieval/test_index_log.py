"""The log of changes: what was acknowledged is there, what was torn is cut off."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from retrieval.index.base import IndexFormatError
from retrieval.index.log import Change, ChangeKind, ChangeLog, LogFailedError, read_changes

DIM = 4


def put(row: int) -> Change:
    return Change(ChangeKind.PUT, np.array([row]), np.full((1, DIM), row, np.float32))


def take(*rows: int) -> Change:
    return Change(ChangeKind.TAKE, np.array(rows), np.zeros((0, DIM), np.float32))


def written(path: Path, *changes: Change) -> list[int]:
    """Write changes; returns the length of the file after each."""
    log, _ = ChangeLog.open(path, DIM)
    lengths = []
    for change in changes:
        log.wait(log.append(change))
        lengths.append(path.stat().st_size)
    log.close()
    return lengths


def test_changes_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "log"
    written(path, put(3), take(3, 5))
    written(path, put(9))
    changes, length = read_changes(path, DIM)
    assert [change.kind for change in changes] == [1, 2, 1]
    assert_array_equal(changes[0].vectors, [[3, 3, 3, 3]])
    assert_array_equal(changes[1].rows, [3, 5])
    assert changes[1].vectors.shape == (0, DIM)
    assert length == path.stat().st_size


def test_a_file_torn_anywhere_keeps_every_whole_change(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lengths = written(path, put(1), put(2), take(1))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        log, changes = ChangeLog.open(path, DIM)
        assert len(changes) == sum(length >= needed for needed in lengths)
        log.wait(log.append(put(7)))  # goes on where the last whole change ended
        log.close()
        again, _ = read_changes(path, DIM)
        assert_array_equal(again[-1].rows, [7])
        assert len(again) == len(changes) + 1


@pytest.mark.parametrize("at", [-1, -20, -40])
def test_a_changed_byte_ends_the_log_there(tmp_path: Path, at: int) -> None:
    path = tmp_path / "log"
    written(path, put(1), put(2))
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    changes, _ = read_changes(path, DIM)
    assert [change.rows.tolist() for change in changes] == [[1]]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log, _ = ChangeLog.open(path, DIM)
    with pytest.raises(LogFailedError, match="another index"):
        ChangeLog.open(path, DIM)
    log.close()
    written(path, put(1))


def test_a_log_of_another_width_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log"
    written(path, put(1))
    with pytest.raises(IndexFormatError, match=r"width 4, expected .* width 5"):
        read_changes(path, 5)


def test_many_threads_are_acknowledged_in_the_order_of_their_tickets(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log, _ = ChangeLog.open(path, DIM)

    def write(row: int) -> tuple[int, int]:
        ticket = log.append(put(row))
        log.wait(ticket)
        return ticket, row

    with ThreadPoolExecutor(8) as pool:
        done = sorted(pool.map(write, range(200)))
    log.close()
    changes, _ = read_changes(path, DIM)
    assert [int(change.rows[0]) for change in changes] == [row for _, row in done]


def test_a_closed_log_takes_nothing(tmp_path: Path) -> None:
    log, _ = ChangeLog.open(tmp_path / "log", DIM)
    log.close()
    with pytest.raises(LogFailedError, match="open the index again"):
        log.append(put(1))


def test_after_a_failed_write_nothing_more_is_acknowledged(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    log, _ = ChangeLog.open(tmp_path / "log", DIM)
    with full.open("wb") as broken:
        log._file, kept = broken.fileno(), log._file
        with pytest.raises(LogFailedError, match="could not be written"):
            log.wait(log.append(put(1)))
        log._file = kept
        with pytest.raises(LogFailedError, match="make room"):
            log.append(put(2))

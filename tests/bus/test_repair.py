"""A damaged spool: what can be read is kept, what cannot is counted, and a repair may be killed anywhere."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.bus import repair
from sensor.bus.carve import carve
from sensor.bus.layout import Hole, Pending
from sensor.bus.records import Record
from sensor.bus.seal import Sealer
from sensor.bus.spool import Spool
from sensor.errors import UserError

PAGE = 4096
BATCHES = 60


def fill(path: Path, sealer: Sealer, *, closed: bool = False) -> dict[tuple[int, int], bytes]:
    """A spool of BATCHES batches, some acknowledged, left as by SIGKILL unless closed; its records."""
    spool = Spool(path, "tap1", mend=True)
    spool.begin_input("in", "x.pcap")
    for number in range(BATCHES):
        line = b'{"n":%d,"x":"%b"}\n' % (number, random.Random(number).randbytes(700).hex().encode())
        spool.append([Pending(0, 2, line * 2), Pending(3, 1, line)], sealer, input_id="in")
    spool.acknowledge(0, 10)
    held = {
        (item.lane, item.seq): item.sealed
        for lane, start in ((0, 10), (3, 0))
        for item in walk(spool, lane, start)
        if isinstance(item, Record)
    }
    if closed:
        spool.close()
    else:
        spool._database.close()  # without the mark that it was closed in good order
    return held


def walk(spool: Spool, lane: int, at: int) -> list[Record | Hole]:
    items: list[Record | Hole] = []
    while (item := spool.next_item(lane, at)) is not None:
        items.append(item)
        at = item.seq + 1 if isinstance(item, Record) else item.last + 1
    return items


def assert_whole(spool: Spool, before: dict[tuple[int, int], bytes]) -> int:
    """Numbers go on without a break, every record is as it was, the books close; how many are kept."""
    kept = 0
    for lane, start in ((0, 10), (3, 0)):
        at = start
        for item in walk(spool, lane, start):
            first, last = (item.seq, item.seq) if isinstance(item, Record) else (item.first, item.last)
            assert first == at
            at = last + 1
            if isinstance(item, Record):
                assert before[lane, item.seq] == item.sealed
                kept += 1
        assert at == spool.spans()[lane].next >= BATCHES
    for book in spool.books():
        assert book.made == book.delivered + book.pending + sum(book.lost.values())
    return kept


def test_a_sound_spool_is_left_alone(tmp_path: Path, sealer: Sealer) -> None:
    path = tmp_path / "spool.sqlite"
    held = fill(path, sealer)
    spool = Spool(path, "tap1", mend=True)
    assert spool.repaired is None and assert_whole(spool, held) == len(held)
    spool.close()
    assert [file.name for file in tmp_path.iterdir()] == ["spool.sqlite"]


def test_a_spool_closed_in_good_order_is_not_read_through(
    tmp_path: Path, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "spool.sqlite"
    fill(path, sealer, closed=True)
    monkeypatch.setattr(repair, "faults", lambda _: pytest.fail("it was checked"))
    Spool(path, "tap1", mend=True).close()


@pytest.mark.parametrize("seed", range(12))
def test_torn_pages_cost_what_stood_on_them_and_nothing_else(
    tmp_path: Path, sealer: Sealer, seed: int
) -> None:
    path = tmp_path / "spool.sqlite"
    held = fill(path, sealer)
    chance = random.Random(seed)
    damaged = bytearray(path.read_bytes())
    pages = len(damaged) // PAGE
    torn = chance.sample(range(1, pages), chance.randrange(1, 4))
    for page in torn:
        start = page * PAGE + chance.choice((0, 512, 2048))
        end = min((page + 1) * PAGE, start + chance.choice((512, 2048, 4096)))
        damaged[start:end] = chance.choice((bytes(end - start), chance.randbytes(end - start)))
    path.write_bytes(bytes(damaged))
    spool = Spool(path, "tap1", mend=True)
    kept = assert_whole(spool, held)
    if kept < len(held):
        lost = sum(sum(book.lost.values()) for book in spool.books())
        assert lost > 0
    print(f"pages {torn} of {pages}: {kept} of {len(held)} kept, {spool.repaired}")
    assert kept >= len(held) // 4, "a few pages must not cost the rest"
    spool.append([Pending(0, 1, b"{}\n"), Pending(3, 1, b"{}\n")], sealer)
    assert_whole_after = [item for item in walk(spool, 0, 10) if isinstance(item, Record)]
    assert assert_whole_after[-1].seq == spool.spans()[0].next - 1
    if spool.repaired is not None:
        assert spool.repaired.aside.exists(), "the damaged file is kept for whoever wants to look"
    spool.close()
    again = Spool(path, "tap1", mend=True)
    assert again.repaired is None
    again.close()


def test_no_single_page_costs_more_than_what_stands_on_it(tmp_path: Path, sealer: Sealer) -> None:
    """Also not an inner page, below which most of the file hangs."""
    path = tmp_path / "spool.sqlite"
    held = fill(path, sealer)
    whole = path.read_bytes()
    pages = len(whole) // PAGE
    chance = random.Random(1)
    for page in [*range(12), *chance.sample(range(12, pages), 20)]:
        place = tmp_path / f"page{page}"
        place.mkdir()
        damaged = bytearray(whole)
        damaged[page * PAGE : (page + 1) * PAGE] = chance.randbytes(PAGE) if page else bytes(PAGE)
        (place / "spool.sqlite").write_bytes(bytes(damaged))
        spool = Spool(place / "spool.sqlite", "tap1", mend=True)
        assert assert_whole(spool, held) >= len(held) - 5, page
        spool.close()


def test_a_file_that_was_cut_off_keeps_what_is_left(tmp_path: Path, sealer: Sealer) -> None:
    path = tmp_path / "spool.sqlite"
    held = fill(path, sealer)
    path.write_bytes(path.read_bytes()[: PAGE * 60])
    spool = Spool(path, "tap1", mend=True)
    assert 20 <= assert_whole(spool, held) < len(held)
    spool.close()


def test_a_rotten_epoch_is_set_right_by_the_records(tmp_path: Path, sealer: Sealer) -> None:
    path = tmp_path / "spool.sqlite"
    held = fill(path, sealer)
    database = sqlite3.connect(path)
    (epoch,) = database.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
    database.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (epoch ^ 4,))
    database.commit()
    database.close()
    spool = Spool(path, "tap1", mend=True)
    assert spool.epoch == epoch and assert_whole(spool, held) == len(held)
    spool.close()


@given(st.binary(max_size=3 * 512), st.integers(0, 2))
@settings(max_examples=500)
def test_carving_any_bytes_finds_nothing_and_ends(content: bytes, page: int) -> None:
    pages = bytearray(content.ljust(3 * 512, b"\0"))
    pages[page * 512 + (100 if page == 0 else 0)] = 0x0D
    assert list(carve(bytes(pages), 512)) == []


def test_carving_ends_where_overflow_pages_go_in_a_circle(tmp_path: Path, sealer: Sealer) -> None:
    path = tmp_path / "spool.sqlite"
    fill(path, sealer)
    content = bytearray(path.read_bytes())
    for page in range(len(content) // PAGE):
        if content[page * PAGE] == 0:  # an overflow page: it names the next, here itself
            content[page * PAGE : page * PAGE + 4] = (page + 1).to_bytes(4, "big")
    assert len(list(carve(bytes(content), PAGE))) < 120


@pytest.mark.parametrize("bytes_gone", [512, PAGE])
def test_with_the_first_page_gone_every_record_is_found(
    tmp_path: Path, sealer: Sealer, bytes_gone: int
) -> None:
    path = tmp_path / "spool.sqlite"
    held = fill(path, sealer)
    (tmp_path / "spool.sqlite-wal").touch()
    damaged = bytearray(path.read_bytes())
    damaged[:bytes_gone] = bytes(bytes_gone)
    path.write_bytes(bytes(damaged))
    spool = Spool(path, "tap1", mend=True)
    assert spool.repaired is not None and spool.repaired.events_lost == 0
    assert assert_whole(spool, held) == len(held)
    assert spool.begin_input("in", "x.pcap")[1] == [2 * BATCHES, 0, 0, BATCHES]
    spool.close()


@pytest.mark.parametrize("seed", range(8))
def test_a_torn_or_cut_log_leaves_whole_steps_only(tmp_path: Path, sealer: Sealer, seed: int) -> None:
    """What is behind the tear was not committed; what is before it stays."""
    path, copy = tmp_path / "spool.sqlite", tmp_path / "copy" / "spool.sqlite"
    copy.parent.mkdir()
    spool = Spool(path, "tap1", mend=True)
    for _ in range(20):
        spool.append([Pending(0, 1, b"{}\n"), Pending(3, 1, b"{}\n")], sealer, input_id="in")
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"spool.sqlite{suffix}", copy.parent / f"spool.sqlite{suffix}")
    spool.close()
    wal = copy.parent / "spool.sqlite-wal"
    content = bytearray(wal.read_bytes())
    chance = random.Random(seed)
    place = chance.randrange(32, len(content))
    if seed % 2:
        del content[place:]
    else:
        content[place : place + 512] = chance.randbytes(len(content[place : place + 512]))
    wal.write_bytes(bytes(content))
    spool = Spool(copy, "tap1", mend=True)
    spans = spool.spans()
    done = spool.begin_input("in", "in")[1]
    assert spans[0].next == spans[3].next == done[0] == done[3]
    assert len(walk(spool, 0, 0)) == spans[0].next
    spool.close()


@pytest.mark.parametrize("moment", ["decided", "aside", "renamed"])
def test_a_repair_that_is_killed_goes_on(
    tmp_path: Path, sealer: Sealer, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "spool.sqlite"
    held = fill(path, sealer)
    damaged = bytearray(path.read_bytes())
    damaged[:100] = bytes(100)
    (tmp_path / "spool.sqlite-wal").touch()
    path.write_bytes(bytes(damaged))
    renames = 0
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        nonlocal renames
        renames += 1
        if renames == {"decided": 1, "aside": 2, "renamed": 4}[moment]:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        Spool(path, "tap1", mend=True)
    monkeypatch.undo()
    spool = Spool(path, "tap1", mend=True)
    assert assert_whole(spool, held) == len(held)
    spool.close()


def test_a_lost_account_gives_out_no_number_twice(tmp_path: Path, sealer: Sealer) -> None:
    path = tmp_path / "spool.sqlite"
    held = fill(path, sealer)
    epoch = sqlite3.connect(path).execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0]
    database = sqlite3.connect(path)
    root = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'lane'").fetchone()[0]
    database.close()
    damaged = bytearray(path.read_bytes())
    damaged[(root - 1) * PAGE : root * PAGE] = b"\xff" * PAGE
    path.write_bytes(bytes(damaged))
    spool = Spool(path, "tap1", mend=True)
    assert spool.repaired is not None and spool.epoch == epoch
    assert assert_whole(spool, held) == len(held)
    assert spool.spans()[0].next > BATCHES, "numbers that may have been given are left out"
    spool.close()


def test_what_never_was_a_spool_is_not_touched(tmp_path: Path) -> None:
    for content in (b"\xd4\xc3\xb2\xa1" * 3000, b"SQLite format 3\0" + bytes(5000), b"\0" * 9000):
        path = tmp_path / "spool.sqlite"
        path.write_bytes(content)
        with pytest.raises(UserError):
            Spool(path, "tap1", mend=True)
        assert path.read_bytes() == content
        assert [file.name for file in tmp_path.iterdir() if "damaged" in file.name] == []
        for file in tmp_path.iterdir():
            file.unlink()

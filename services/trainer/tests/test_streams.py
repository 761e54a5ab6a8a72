"""Streams: the queue, and the sender against a control plane that is away, forgets to answer, or refuses."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import support

from signalbox import Workflow, streams
from signalbox.spool import Spool

HEADER = {"Authorization": f"Bearer {support.TOKEN}", "Signalbox-Executor": "pod-1"}


def note(count: int) -> bytes:
    return b"<%d>" % count


@pytest.fixture
def plane() -> Iterator[support.Control]:
    with support.control() as control:
        control.state.executors["r", 1] = "pod-1"
        yield control


def sender(plane: support.Control, name: str = "log", spool: Spool | None = None) -> streams.Sender:
    url = streams.address(plane.url, "r", 1, name)
    return streams.Sender(url, HEADER, spool or Spool(note), lines=name == "series")


@pytest.mark.parametrize("seed", range(20))
def test_spool_is_a_queue(tmp_path: Path, seed: int) -> None:
    """Against a model: everything comes out in order, wherever the ring is and whatever the sizes are."""
    dice = random.Random(seed)
    spool = Spool(note, [str(tmp_path)], memory=3000, file=5000, tail=100)
    model = bytearray()
    for _ in range(2000):
        if dice.random() < 0.5:
            data = dice.randbytes(dice.randrange(1, 700))
            if len(model) + len(data) < 3000:  # never so much that it drops: memory is kept free for its tail
                spool.append(data)
                model += data
        else:
            head = spool.head(dice.randrange(1, 900))
            assert head == model[: len(head)] and bool(head) == bool(model)
            taken = dice.randrange(len(head) + 1)
            spool.discard(taken)
            del model[:taken]
        assert len(spool) == len(model)
    assert not list(tmp_path.iterdir()), "the file has no name"
    assert spool.dropped == 0


@pytest.mark.parametrize("folders", [True, False], ids=["file", "memory only"])
@pytest.mark.parametrize("seed", range(10))
def test_spool_loses_nothing_silently(tmp_path: Path, seed: int, folders: bool) -> None:
    """What comes out is what went in, but for runs of bytes whose exact number stands in their place."""
    dice = random.Random(seed)
    spool = Spool(lambda n: b"<%06d>" % n, [str(tmp_path)] if folders else [], memory=4000, file=6000, tail=100)
    written, got = 0, bytearray()

    def take() -> None:
        head = spool.head(777)
        spool.discard(len(head))
        got.extend(head)

    for _ in range(400):
        data, size = bytearray(), dice.randrange(1, 900)
        while len(data) < size:
            data += b"%08d" % (written + len(data))  # every byte's position can be read off
        spool.append(bytes(data))
        written += len(data)
        if dice.random() < 0.4:
            take()
    spool.settle()
    while spool:
        take()
    assert spool.dropped > 0
    at = seen = 0
    while at < len(got):
        if got[at : at + 1] == b"<":
            seen += int(got[at + 1 : at + 7])
            at += 8
        else:
            assert got[at : at + 1] == (b"%08d" % (seen - seen % 8))[seen % 8 : seen % 8 + 1]
            at, seen = at + 1, seen + 1
    assert seen == written


def test_spool_without_a_place_for_its_file(tmp_path: Path) -> None:
    spool = Spool(note, [str(tmp_path / "absent"), "/proc"], memory=3000, file=5000, tail=10)
    for _ in range(50):
        spool.append(b"x" * 100)
    spool.settle()
    data = spool.head(10_000)
    assert data == b"x" * (len(data) - 16) + b"<%d>" % spool.dropped + b"x" * 10


def test_chunks_are_full_or_a_second_old(plane: support.Control) -> None:
    log = sender(plane)
    log.write(b"a" * (streams.CHUNK + 10))
    support.until(lambda: len(plane.state.chunks) == 2)
    assert [len(plane.state.chunks["log", n]) for n in (0, 1)] == [streams.CHUNK, 10]
    log.write(b"b")
    assert log.close(10) == 0 and plane.state.stream("log") == b"a" * (streams.CHUNK + 10) + b"b"


def test_lost_answers_neither_repeat_nor_skip_bytes(plane: support.Control) -> None:
    plane.state.lose = ["/log/0", "/log/1", "/log/1", "/log/2"]
    log = sender(plane)
    data = random.Random(1).randbytes(3 * streams.CHUNK)
    log.write(data[:100])
    support.until(lambda: ("log", 0) in plane.state.chunks)
    log.write(data[100:])
    assert log.close(20) == 0
    assert plane.state.stream("log") == data and not plane.state.lose


def test_chunks_of_an_earlier_process_are_left_alone(plane: support.Control) -> None:
    plane.state.chunks = {("log", 0): b"earlier", ("log", 1): b"x" * 1000}
    log = sender(plane)
    log.write(b"later, and longer")
    assert log.close(10) == 0
    assert plane.state.stream("log") == b"earlier" + b"x" * 1000 + b"later, and longer"


def test_outage_delays_and_loses_nothing(plane: support.Control) -> None:
    log = sender(plane)
    log.write(b"before ")
    support.until(lambda: plane.state.chunks)
    plane.down()
    try:
        log.write(b"during ")
    finally:
        plane.up()
    plane.state.refuse = [503, 502, 429]
    log.write(b"after")
    assert log.close(20) == 0
    assert plane.state.stream("log") == b"before during after"


def test_close_is_bounded_and_tells_what_is_left(plane: support.Control) -> None:
    log = sender(plane)
    plane.down()
    try:
        log.write(b"12345")
        assert log.close(0.3) == 5
    finally:
        plane.up()


def test_refusal_is_final(plane: support.Control) -> None:
    plane.state.fenced = True
    log = sender(plane)
    log.write(b"1")
    support.until(lambda: log.refused)
    assert log.refused.startswith("HTTP 409")
    log.write(b"2")
    assert log.close(5) == 1 and not plane.state.chunks


def test_series_breaks_between_lines(plane: support.Control) -> None:
    series = sender(plane, "series")
    lines = [streams.point(f"m{n}", n / 7, n) for n in range(8000)]
    for line in lines:
        series.write(line)
    assert series.close(20) == 0
    assert plane.state.stream("series") == b"".join(lines)
    assert len(plane.state.chunks) > 1
    assert all(c.endswith(b"\n") and len(c) <= 256 << 10 for c in plane.state.chunks.values())


def test_series_that_finds_no_room_drops_whole_lines(plane: support.Control) -> None:
    spool = Spool(lambda count: b"", memory=4000, tail=0, whole=True)
    for n in range(1000):
        spool.append(b"%09d\n" % n)
    series = sender(plane, "series", spool)
    series.write(b"last\n")
    assert series.close(10) == 0
    kept = plane.state.stream("series")
    assert spool.dropped == 10_005 - len(kept) > 0
    assert kept == b"".join(b"%09d\n" % n for n in range(len(kept) // 10))


def test_forks_do_not_hang_on_the_sender(plane: support.Control) -> None:
    log = sender(plane)
    log.write(b"mine")
    with log._ready:  # the worst moment to fork
        pid = os.fork()
        if not pid:
            log.write(b"theirs")
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert log.close(10) == 0 and plane.state.stream("log") == b"mine"


def test_log_metric_reaches_the_series_with_its_step() -> None:
    seen: list[tuple[str, float, int | None]] = []
    flow = Workflow()
    flow.on_metric = lambda *point: seen.append(point)
    flow.log_metric("auc", 0.5, 1)
    flow.log_metric("auc", 1, step=2)
    flow.log_metric("rounds", 20)
    assert seen == [("auc", 0.5, 1), ("auc", 1.0, 2), ("rounds", 20.0, None)]
    assert flow.metrics == {"auc": 1.0, "rounds": 20.0}
    for name, value, step, words in (
        ("auc", float("inf"), None, "finite"),
        ("auc", float("nan"), 1, "finite"),
        ("", 1.0, None, "want 1 to 100 letters"),
        ("a\n", 1.0, None, "want 1 to 100 letters"),
        ("val/auc", 1.0, None, "want 1 to 100 letters"),
        ("a" * 101, 1.0, None, "want 1 to 100 letters"),
        ("auc", 1.0, -1, "step of 0 or more"),
    ):
        with pytest.raises(ValueError, match=words):
            flow.log_metric(name, value, step)
    assert len(seen) == 3
    assert "on_metric" not in flow.__getstate__()


def test_point() -> None:
    doc = json.loads(streams.point("auc", 0.81, 3))
    assert len(doc.pop("at")) == len("2026-11-23T14:00:00.123Z") and doc == {"name": "auc", "value": 0.81, "step": 3}
    assert "step" not in json.loads(streams.point("auc", 0.81))

"""Several workers of one run: real processes and sockets, on a control plane that knows what the real one does."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import support
from support import Control

from signalbox import distributed, rendezvous
from signalbox.client import Client, Fenced
from signalbox.dataset import fetch
from signalbox.distributed import Distributed
from signalbox.job import Job, JobError, Part, Signed, Source
from signalbox.links import PeerError
from signalbox.workflow import Workflow

SRC = str(Path(__file__).resolve().parents[1] / "src")

FLOW = """
import hashlib, os, signal, sys, time
import lightgbm as lgb
from signalbox import Workflow

class Flow(Workflow):
    def fetch_data(self, inputs):
        mine = (self.distributed.rank, self.distributed.world_size)
        return inputs[0].to_pandas() if self.custom_params.get("all") else pd_of(inputs[0].batches(shard=mine))

    def train(self, training_dataframe, holdout_dataframe):
        d = self.distributed
        known = {c: list(training_dataframe[c].cat.categories) for c in ("carrier", "origin")}
        print("rank", d.rank, "knows", sorted(known["carrier"]), flush=True)
        self.log_metric("rows", len(training_dataframe), step=d.rank)
        BODY

def pd_of(batches):
    import pyarrow as pa
    return pa.Table.from_batches(list(batches)).to_pandas()
"""

ALONE = """data = lgb.Dataset(training_dataframe[self.classifier_features], training_dataframe[self.classifier_label])
        d.gather(d.rank)
        return lgb.train({"objective": "binary", **self.lightgbm_params, "num_leaves": 4}, data, 3)"""


def job(plane: Control, rank: int = 0, workers: int = 2, **more: Any) -> Job:
    return Job(
        **{
            "run_id": "r",
            "attempt": 1,
            "model": "m",
            "request": {},
            "entrypoint": "flow:Flow",
            "workflow_digest": "",
            "workflow_dir": Path(),
            "inputs": (),
            "api": plane.url,
            "token": support.TOKEN,
            "traceparent": "",
            "seed": 1,
            "threads": 1,
            "cache_dir": Path(),
            "workers": workers,
            "rank": rank,
            **more,
        }
    )


def client(plane: Control, rank: int, executor: str = "") -> Client:
    return Client(plane.url, support.TOKEN, "r", 1, "", executor or f"pod-{rank}")


@contextmanager
def workers(plane: Control, count: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Distributed]]:
    """Have so many workers in one process."""
    monkeypatch.setenv("SIGNALBOX_ADDRESS", "127.0.0.1")
    plane.state.workers = count
    with ThreadPoolExecutor(count) as pool:
        found = list(pool.map(lambda r: rendezvous.meet(job(plane, r, count), client(plane, r), 20), range(count)))
        try:
            yield found
        finally:
            for one in found:
                one.close()


def all_at_once(found: list[Distributed], what: Any) -> list[Any]:
    with ThreadPoolExecutor(len(found)) as pool:
        return list(pool.map(what, found))


def test_workers_meet_and_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    with support.control() as plane, workers(plane, 3, monkeypatch) as found:
        assert [(d.rank, d.world_size, d.local_rank, d.local_world_size) for d in found] == [
            (0, 3, 0, 3),
            (1, 3, 1, 3),
            (2, 3, 2, 3),
        ]
        assert all_at_once(found, lambda d: d.gather({"rank": d.rank})) == [[{"rank": 0}, {"rank": 1}, {"rank": 2}]] * 3
        assert all_at_once(found, lambda d: d.share(f"of {d.rank}")) == ["of 0"] * 3
        environments = all_at_once(found, lambda d: d.environment())
        assert [(e["RANK"], e["LOCAL_RANK"]) for e in environments] == [("0", "0"), ("1", "1"), ("2", "2")]
        assert len({(e["MASTER_ADDR"], e["MASTER_PORT"], e["WORLD_SIZE"]) for e in environments}) == 1
        assert all(d.interrupted for d in found)  # what a framework of one's own does with it cannot be told
        assert {d.master_port for d in found} == {int(environments[0]["MASTER_PORT"])}


def test_one_worker_is_alone_without_asking_anybody() -> None:
    with support.control() as plane:
        alone = rendezvous.meet(job(plane, workers=1), client(plane, 0))
        assert not plane.state.members
    assert (alone.rank, alone.world_size, alone.master_address, alone.master_port) == (0, 1, None, None)
    assert alone.gather([1, "x"]) == [[1, "x"]] and alone.share(7) == 7 and alone.shard(10) == slice(0, 10)
    assert alone.environment()["MASTER_ADDR"] == "127.0.0.1" and int(alone.environment()["MASTER_PORT"]) > 0
    with alone.xgboost() as same:
        assert same is alone
    assert Workflow().distributed.world_size == 1 and "distributed" not in Workflow().__getstate__()


@pytest.mark.parametrize(("count", "world"), [(0, 3), (2, 3), (10, 3), (11, 4), (512, 5)])
def test_shards_are_all_rows_once(count: int, world: int) -> None:
    rows = list(range(count))
    parts = [rows[Distributed(["a"] * world, rank).shard(count)] for rank in range(world)]
    assert sum(parts, []) == rows and max(map(len, parts)) - min(map(len, parts)) <= 1


def test_local_ranks_count_workers_of_one_address() -> None:
    addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.2", "10.0.0.1"]
    found = [Distributed(addresses, rank) for rank in range(5)]
    assert [(d.local_rank, d.local_world_size) for d in found] == [(0, 3), (0, 2), (1, 3), (1, 2), (2, 3)]


def test_a_worker_that_never_comes_is_not_awaited_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_ADDRESS", "127.0.0.1")
    with support.control() as plane:
        plane.state.workers = 2
        with pytest.raises(PeerError, match="1 of 2 workers have come"):
            rendezvous.meet(job(plane), client(plane, 0), 0.3)


def test_second_executor_of_a_rank_is_fenced(monkeypatch: pytest.MonkeyPatch) -> None:
    with support.control() as plane, workers(plane, 2, monkeypatch):
        with pytest.raises(Fenced):
            rendezvous.meet(job(plane, 1), client(plane, 1, "another"), 5)


def test_strangers_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_ADDRESS", "127.0.0.1")
    with support.control() as plane, ThreadPoolExecutor(2) as pool:
        plane.state.workers = 2
        first = pool.submit(rendezvous.meet, job(plane), client(plane, 0), 20)
        support.until(lambda: 0 in plane.state.members)
        at = plane.state.members[0]["address"]
        host, _, port = at.rpartition(":")
        plane.state.members[1] = {"rank": 1, "executor": "pod-1", "address": "127.0.0.1:0"}
        genuine = job(plane, 1)
        hellos: list[Any] = [
            b"GET / HTTP/1.1\r\n\r\n",
            b"\xff\xff\xff\xff",
            {"rank": 1},
            {"rank": 1, "proof": rendezvous._proof(job(plane, 1, token="other"), 1)},
            {"rank": 1, "proof": rendezvous._proof(genuine, 2)},
            {"rank": 0, "proof": rendezvous._proof(genuine, 0)},
            {"rank": 2, "proof": rendezvous._proof(genuine, 2)},
            [1],
        ]
        for hello in hellos:
            with socket.create_connection((host, int(port)), timeout=10) as stranger:
                if not isinstance(hello, bytes):
                    body = json.dumps(hello).encode()
                    hello = len(body).to_bytes(4, "big") + body
                stranger.sendall(hello)
                try:
                    assert stranger.recv(1) == b""
                except ConnectionResetError:
                    pass
        second = pool.submit(rendezvous.meet, genuine, client(plane, 1), 20)
        both = [first.result(), second.result()]
        assert all_at_once(both, lambda d: d.gather(d.rank)) == [[0, 1]] * 2
        for one in both:
            one.close()


def test_a_worker_that_is_gone_is_an_error_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with support.control() as plane, workers(plane, 2, monkeypatch) as found:
        found[1].close()
        with pytest.raises(PeerError, match="rank 1 is gone"):
            found[0].gather(1)
        assert found[0].interrupted and not found[1].interrupted


def test_workers_agree_on_categories() -> None:
    a = {"name": "c", "type": "string", "nullable": False, "categories": ["B", "D"]}
    b = {"name": "c", "type": "string", "nullable": True, "categories": ["A", "B"]}
    none = {"name": "c", "type": "string", "nullable": False}
    assert distributed.merged([[a], [b]]) == [{**a, "nullable": True, "categories": ["A", "B", "D"]}]
    assert distributed.merged([[none], [a]]) == [a] and distributed.merged([[none], [none]]) == [none]
    with pytest.raises(ValueError, match="other features"):
        distributed.merged([[a], [{**a, "type": "number"}]])
    with pytest.raises(ValueError, match="other features"):
        distributed.merged([[a], []])


def source(tmp_path: Path, files: int, groups: int) -> Source:
    """Write files with so many row groups of ten rows each."""
    parts = []
    for i in range(files):
        path = tmp_path / f"{i}.parquet"
        first = i * groups * 10
        pq.write_table(pa.table({"n": np.arange(first, first + groups * 10)}), path, row_group_size=10)
        parts.append((path, path.stat().st_size))
    with support.control() as plane:
        found = []
        for path, size in parts:
            got = plane.put(path.name, path.read_bytes())
            (tmp_path / "cache").mkdir(exist_ok=True)
            (tmp_path / "cache" / got["digest"]).write_bytes(path.read_bytes())
            found.append(Part(got["digest"], size, Signed.parse(got["get"])))
    return Source("", tuple(found))


@pytest.mark.parametrize(("files", "groups", "world"), [(4, 2, 2), (5, 1, 3), (1, 7, 3), (2, 3, 4), (1, 1, 3)])
@pytest.mark.parametrize("keep", [True, False])
def test_batches_of_shards_are_all_rows_once(tmp_path: Path, files: int, groups: int, world: int, keep: bool) -> None:
    seen: list[list[int]] = []
    for rank in range(world):
        (folder := tmp_path / str(rank)).mkdir()
        own = fetch(source(folder, files, groups), folder / "cache")
        batches = list(own.batches(keep=keep, shard=(rank, world)))
        assert batches and all(b.schema.names == ["n"] for b in batches)
        seen.append([n for b in batches for n in b.column("n").to_pylist()])
    assert sorted(sum(seen, [])) == list(range(files * groups * 10))
    assert all(seen)


def test_bad_shards(tmp_path: Path) -> None:
    own = fetch(source(tmp_path, 1, 1), tmp_path / "cache")
    for shard in [(-1, 2), (2, 2), (0, 0)]:
        with pytest.raises(ValueError, match="shard"):
            next(own.batches(shard=shard))


def test_rank_is_one_of_the_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with support.control() as plane:
        path = support.write_job(tmp_path, plane, "", [], support.request(), workers=2)
        for text, rank in [("", 0), ("0", 0), ("1", 1)]:
            monkeypatch.setenv("SIGNALBOX_RANK", text)
            assert (Job.load(path).rank, Job.load(path).workers) == (rank, 2)
        for text in ("2", "-1", "x"):
            monkeypatch.setenv("SIGNALBOX_RANK", text)
            with pytest.raises(JobError):
                Job.load(path)


def test_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGNALBOX_ADDRESS", raising=False)
    assert rendezvous.own_address("http://127.0.0.1:7700") == "127.0.0.1"
    monkeypatch.setenv("SIGNALBOX_ADDRESS", "10.0.0.7")
    assert rendezvous.own_address("http://127.0.0.1:7700") == "10.0.0.7"
    assert rendezvous._pair("fd00::1", 5) == "[fd00::1]:5" and rendezvous._host("[fd00::1]:5") == "fd00::1"


class Process:
    """A worker that runs the job runner, or the launcher."""

    def __init__(self, folder: Path, module: str, rank: int, executor: str) -> None:
        self.out = b""
        env = {**os.environ, "PYTHONPATH": SRC, "SIGNALBOX_RANK": str(rank), "SIGNALBOX_ADDRESS": "127.0.0.1"}
        env.update(SIGNALBOX_EXECUTOR=executor, PYTHONHASHSEED="0", SIGNALBOX_TERMINATION_LOG=str(folder / "cause"))
        env.update(SIGNALBOX_SCRATCH=str(folder), OMP_NUM_THREADS="1")
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"signalbox.{module}", str(folder / "job.json")],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while part := self.process.stdout.read1(1 << 16):  # type: ignore[attr-defined]
            self.out += part

    def wait(self, seconds: float = 120) -> int:
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        return status

    def end(self) -> None:
        """End a worker that a test leaves behind; a launcher takes its runner along, which killing it would not."""
        self.process.terminate()
        try:
            self.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()


@contextmanager
def running(
    tmp_path: Path, plane: Control, body: str, module: str = "runner", **params: Any
) -> Iterator[list[Process]]:
    """Run two workers of a job whose rows are in two files; the second file has carriers that the first one lacks."""
    plane.state.workers = 2
    rows = support.flights(1200)
    halves = [rows.iloc[:600].copy(), rows.iloc[600:].copy()]
    halves[0].loc[halves[0]["carrier"] == "AA", "carrier"] = "B6"
    parts = [plane.put(f"{i}.parquet", support.parquet(half)) for i, half in enumerate(halves)]
    asked = support.request(custom_params=params)
    asked["data"] = {"holdout_sampling": {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.2}}}
    found = []
    try:
        for rank in range(2):
            folder = tmp_path / str(rank)
            support.write_job(folder, plane, FLOW.replace("BODY", body), parts, asked, run_id="r", workers=2)
            found.append(Process(folder, module, rank, f"pod-{rank}"))
        yield found
    finally:
        for one in found:
            one.end()


@pytest.mark.parametrize("module", ["runner", "launcher"])
def test_rank_zero_reports_and_publishes(tmp_path: Path, module: str) -> None:
    with support.control() as plane, running(tmp_path, plane, ALONE, module) as found:
        assert [one.wait() for one in found] == [0, 0], b"\n".join(one.out for one in found).decode()
        state = plane.state
        assert len(state.packages) == 1 and len(state.completed) == 1 and not state.failed
        assert {s["executor"] for s in state.starts} == {"pod-0"}
        steps = [p["step"] for p in state.progress if "seconds" in p]
        assert steps == ["fetch", "preprocess", "train", "serialize", "score", "publish"]
        series = [json.loads(line) for line in state.stream("series").splitlines()]
        assert [point["step"] for point in series] == [0]
        # Each has seen its own file only, and both know the carriers of both.
        for one in found:
            assert re.search(rb"rank \d knows \['AA', 'B6', 'DL', 'UA', 'Z.*rich'\]", one.out)
        if module == "launcher":
            assert b"rank 0 knows" in state.stream("log") and b"rank 1" not in state.stream("log")


def test_only_rank_zero_tells_of_a_failure(tmp_path: Path) -> None:
    body = """if d.rank == 1: raise ValueError("no more")
        time.sleep(600)"""
    with support.control() as plane, running(tmp_path, plane, body, "launcher") as found:
        assert found[1].wait() == 1
        cause = json.loads((tmp_path / "1" / "cause").read_text())
        assert cause == {"reason": "exit status 1", "last": "ValueError: no more"}
        assert not plane.state.failed and b"no more" not in plane.state.stream("log")


@pytest.mark.parametrize("ended", [True, False])
def test_another_workers_end_is_not_rank_zeros_fault(tmp_path: Path, ended: bool) -> None:
    body = """d.gather(0)
        if d.rank == 1: os.kill(os.getpid(), signal.SIGKILL)
        d.gather(1)"""
    with support.control() as plane, running(tmp_path, plane, body) as found:
        assert found[1].wait() == -signal.SIGKILL
        support.until(lambda: b"PeerError" in found[0].out)
        if ended:  # as whoever runs the workers does
            found[0].process.terminate()
            assert found[0].wait() == -signal.SIGTERM and not plane.state.failed
            return
        assert found[0].wait() == 1
        exception = plane.state.failed[0]["exception"]
        assert exception["type"] == "PeerError" and exception["retryable"] and "rank 1 is gone" in exception["message"]


def test_second_process_of_a_rank_leaves_at_once(tmp_path: Path) -> None:
    with support.control() as plane:
        plane.state.members[1] = {"rank": 1, "executor": "another", "address": "127.0.0.1:0"}
        with running(tmp_path, plane, ALONE, "launcher") as found:
            begin = time.monotonic()
            assert found[1].wait() == 3 and time.monotonic() - begin < 60
            assert not plane.state.packages


def test_lightgbm_makes_one_model_of_all_rows(tmp_path: Path) -> None:
    body = """for turn in range(2):
            params = {"objective": "binary", **self.lightgbm_params, "num_leaves": 4, **d.lightgbm()}
            data = lgb.Dataset(training_dataframe[self.classifier_features], training_dataframe[self.classifier_label])
            model = lgb.train(params, data, 3)
        trees = model.model_to_string().partition("end of trees")[0]
        print(f"rank {d.rank} made {hashlib.sha256(trees.encode()).hexdigest()}", flush=True)
        return model"""
    with support.control() as plane, running(tmp_path, plane, body) as found:
        assert [one.wait() for one in found] == [0, 0], b"\n".join(one.out for one in found).decode()
        made = [re.search(rb"made ([0-9a-f]{64})", one.out) for one in found]
        assert made[0] and made[1] and made[0][1] == made[1][1]
        assert b"127.0.0.1:" not in b"".join(
            data for key, data in plane.state.objects.items() if key.startswith("blobs/")
        )
    assert Distributed().lightgbm() == {}


@pytest.mark.torch
def test_torch_trains_one_module_on_all_rows(tmp_path: Path) -> None:
    body = """import torch
        torch.manual_seed(d.rank)
        columns = ["distance", "departure_delay", "wind_speed"]
        self.classifier_features = columns
        rows = torch.nan_to_num(torch.tensor(training_dataframe[columns].values.tolist(), dtype=torch.float32))
        labels = torch.tensor(training_dataframe[self.classifier_label].astype(float).tolist())
        for turn in range(2):
            with d.torch():
                module = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1), torch.nn.Flatten(0))
                shared = torch.nn.parallel.DistributedDataParallel(module)
                optimizer = torch.optim.SGD(shared.parameters(), lr=0.1)
                for _ in range(5):
                    optimizer.zero_grad()
                    torch.nn.functional.binary_cross_entropy_with_logits(shared(rows), labels).backward()
                    optimizer.step()
                total = torch.tensor([float(len(rows))])
                torch.distributed.all_reduce(total)
        print(f"rank {d.rank} of {int(total)} rows made {[p.tolist() for p in module.parameters()]}", flush=True)
        if d.rank == 0:
            data = lgb.Dataset(training_dataframe[columns], training_dataframe[self.classifier_label])
            return lgb.train({"objective": "binary", **self.lightgbm_params, "num_leaves": 4}, data, 3)
        return module"""
    with support.control() as plane, running(tmp_path, plane, body) as found:
        assert [one.wait() for one in found] == [0, 0], b"\n".join(one.out for one in found).decode()
        made = [re.search(rb"rank \d of (\d+) rows made (.*)", one.out) for one in found]
        assert made[0] and made[1] and made[0].groups() == made[1].groups()
        assert len(plane.state.packages) == 1


@pytest.mark.torch
def test_torch_alone() -> None:
    import torch

    alone = Distributed()
    for _ in range(2):
        with alone.torch():
            module = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
            assert module(torch.ones(3, 2)).shape == (3, 1) and torch.distributed.get_world_size() == 1
    assert not torch.distributed.is_initialized()

"""Several processes that train one model: who they are, and what they agree on.

Each worker of a run has a rank, and holds a connection to rank 0 (``rendezvous``) for small values that all must know.
The frameworks' own collectives are started with what is learned that way. A run with one worker has the same members,
so the same workflow runs alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .links import Link, free_port


class Distributed:
    """The workers of a run, as one of them sees them.

    ``rank`` is this worker's number from 0, ``world_size`` how many there are; ``local_rank`` and ``local_world_size``
    are the same among those at this address. ``master_address`` is rank 0's, None where there is one worker alone.
    """

    def __init__(self, addresses: Sequence[str] = ("",), rank: int = 0, links: Sequence[Link] = ()) -> None:
        """Create the view of one worker: of a worker that is alone without arguments."""
        self.rank, self.world_size = rank, len(addresses)
        self.local_rank = list(addresses[:rank]).count(addresses[rank])
        self.local_world_size = list(addresses).count(addresses[rank])
        self.master_address: str | None = addresses[0] if self.world_size > 1 else None
        #: Whether an exception of training may be another worker's end: it left a collective, or nobody can tell.
        self.interrupted = False
        self._address = addresses[rank]
        self._links = list(links)  # rank 0's to all others, in order of rank; the others' to rank 0
        self._port: int | None = None

    @property
    def master_port(self) -> int | None:
        """A port that was free at rank 0, for a framework of one's own; None where there is one worker alone.

        All workers must ask for it, at the same point of their work.
        """
        if self._port is None and self.world_size > 1:
            self._port = int(self.share(free_port(self.master_address or "") if self.rank == 0 else None))
        return self._port

    def environment(self) -> dict[str, str]:
        """Return the variables by which torchrun and its like tell a process who it is.

        All workers must ask for them, at the same point of their work. One that is alone has an address and a port of
        its own machine.
        """
        address = self.master_address or "127.0.0.1"
        self.interrupted = self.world_size > 1  # if anything goes wrong from here on
        return {
            "MASTER_ADDR": address,
            "MASTER_PORT": str(self.master_port or free_port(address)),
            "RANK": str(self.rank),
            "WORLD_SIZE": str(self.world_size),
            "LOCAL_RANK": str(self.local_rank),
            "LOCAL_WORLD_SIZE": str(self.local_world_size),
        }

    def shard(self, count: int) -> slice:
        """Return this worker's share of so many rows: shares are contiguous, and differ by one row at most."""
        return slice(self.rank * count // self.world_size, (self.rank + 1) * count // self.world_size)

    def gather(self, value: Any) -> list[Any]:
        """Give each worker the values of all, by rank. Values are small, and whatever JSON has.

        All workers must call it, in the same order of calls. PeerError where one is gone.
        """
        with self._collective():
            if self.rank:
                self._links[0].send(value)
                return list(self._links[0].receive())
            values = [json.loads(json.dumps(value)), *(link.receive() for link in self._links)]
            for link in self._links:
                link.send(values)
            return values

    def share(self, value: Any) -> Any:
        """Give each worker the value of rank 0; what the others pass does not count."""
        return self.gather(value if self.rank == 0 else None)[0]

    @contextmanager
    def torch(self, backend: str = "gloo") -> Iterator[Distributed]:
        """Have PyTorch's default process group for a while: DistributedDataParallel and the collectives work within."""
        import torch.distributed as dist

        with self._collective(), _interface(self.master_address):
            if self.master_address is None:
                store: Any = dist.HashStore()
            else:
                lead = self.rank == 0
                if lead:
                    store = dist.TCPStore(self.master_address, 0, self.world_size, True, wait_for_workers=False)
                port = self.share(store.port if lead else None)
                if not lead:
                    store = dist.TCPStore(self.master_address, port, self.world_size, False, wait_for_workers=False)
            dist.init_process_group(backend, store=store, rank=self.rank, world_size=self.world_size)
            try:
                yield self
                self.gather(None)  # rank 0 has the store: it must not leave before the others are done with it
            finally:
                dist.destroy_process_group()

    @contextmanager
    def xgboost(self) -> Iterator[Distributed]:
        """Have XGBoost's collective for a while: training within sees the rows of all workers as one data set."""
        if self.master_address is None:
            yield self
            return
        from xgboost.collective import CommunicatorContext
        from xgboost.tracker import RabitTracker

        with self._collective():
            tracker = None
            if self.rank == 0:
                tracker = RabitTracker(n_workers=self.world_size, host_ip=self.master_address, sortby="task")
                tracker.start()
            arguments = self.share(tracker.worker_args() if tracker else None)
            # The tracker sorts the names of tasks as texts.
            with CommunicatorContext(**arguments, dmlc_task_id=f"{self.rank:05d}"):
                yield self
                self.gather(None)
            if tracker is not None:
                tracker.wait_for()

    def lightgbm(self) -> dict[str, Any]:
        """Return parameters with which LightGBM trains on the rows of all workers; none where there is one alone.

        All workers must ask for them, at the same point of their work, and for each training anew.
        """
        if self.world_size == 1:
            return {}
        port = free_port(self._address)
        machines = self.gather(f"{self._address}:{port}")
        self.interrupted = True  # if anything goes wrong from here on
        return {
            "tree_learner": "data",
            "pre_partition": True,
            "num_machines": self.world_size,
            "machines": ",".join(machines),
            "local_listen_port": port,
        }

    def close(self) -> None:
        """Let go of the other workers."""
        for link in self._links:
            link.close()
        self._links = []

    @contextmanager
    def _collective(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            self.interrupted = self.world_size > 1
            raise


@contextmanager
def _interface(address: str | None) -> Iterator[None]:
    """Have Gloo use the loopback interface where all workers are on this machine, whatever its host name means."""
    name = "GLOO_SOCKET_IFNAME"
    local = address is None or address == "::1" or address.startswith("127.")
    if not local or name in os.environ or not os.path.exists("/sys/class/net/lo"):
        yield
        return
    os.environ[name] = "lo"
    try:
        yield
    finally:
        del os.environ[name]


def merged(documents: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the features as all workers have seen them: each may have read other rows and learned other categories.

    ValueError where they differ in more than that.
    """
    out = [dict(doc) for doc in documents[0]]
    for others in documents[1:]:
        if [(d["name"], d["type"]) for d in others] != [(d["name"], d["type"]) for d in out]:
            raise ValueError("the workers have other features: fetch_data must give the same columns on each rank")
        for mine, other in zip(out, others):
            mine["nullable"] = mine["nullable"] or other["nullable"]
            if mine.get("categories") or other.get("categories"):
                mine["categories"] = sorted({*(mine.get("categories") or ()), *(other.get("categories") or ())})
    return out

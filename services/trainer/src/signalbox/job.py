"""The job document: what the control plane tells one attempt of a run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSION = 1


class JobError(Exception):
    """The job document cannot be executed: it is malformed or of a version that this runner does not know."""


@dataclass(frozen=True)
class Signed:
    """A request that may be sent without credentials until it expires. Every header must be sent as given."""

    method: str
    url: str
    header: Mapping[str, list[str]] = field(default_factory=dict)

    @classmethod
    def parse(cls, doc: Mapping[str, Any]) -> Signed:
        """Read the JSON form."""
        return cls(doc["method"], doc["url"], doc.get("header") or {})


@dataclass(frozen=True)
class Part:
    """One Parquet file. An empty digest means that nobody knows what it should hash to."""

    digest: str
    size: int  # bytes
    get: Signed

    @classmethod
    def parse(cls, doc: Mapping[str, Any]) -> Part:
        """Read the JSON form."""
        return cls(doc.get("digest") or "", int(doc["bytes"]), Signed.parse(doc["get"]))


@dataclass(frozen=True)
class Source:
    """One entry of ``data.features``: the parts to read and the columns that were asked for (none: all)."""

    digest: str
    parts: tuple[Part, ...]
    columns: tuple[Mapping[str, Any], ...] = ()
    label: str = ""
    names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, doc: Mapping[str, Any], names: tuple[str, ...]) -> Source:
        """Read the JSON form."""
        parts = tuple(Part.parse(p) for p in doc["parts"])
        return cls(doc.get("digest") or "", parts, tuple(doc.get("columns") or ()), doc.get("label") or "", names)


@dataclass(frozen=True)
class Job:
    """One attempt of a run."""

    run_id: str
    attempt: int
    model: str
    request: dict[str, Any]  # as it came, unknown members included
    entrypoint: str  # <module>:<class>
    workflow_digest: str
    workflow_dir: Path
    inputs: tuple[Source, ...]
    api: str
    token: str = field(repr=False)
    traceparent: str
    seed: int
    threads: int
    cache_dir: Path
    workers: int = 1  # processes that execute the attempt together
    rank: int = 0  # of this one among them

    @classmethod
    def load(cls, path: Path) -> Job:
        """Read a job document; folders in it are relative to the document."""
        try:
            return cls._parse(json.loads(path.read_text("utf-8")), path.resolve().parent)
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise JobError(f"job document {path.name}: {type(err).__name__}: {err}") from err

    @classmethod
    def _parse(cls, doc: Mapping[str, Any], base: Path) -> Job:
        if doc["version"] != VERSION:
            raise JobError(f"job document has version {doc['version']}; this runner knows version {VERSION}")
        features = (doc["request"].get("data") or {}).get("features") or []
        names = [tuple(f.get("names") or ()) for f in features]
        workers = int(doc.get("workers") or 1)
        rank = int(os.environ.get("SIGNALBOX_RANK") or 0)
        if not 0 <= rank < workers:
            raise JobError(f"SIGNALBOX_RANK is {rank}, and the job has {workers} workers")
        names += [()] * (len(doc["inputs"]) - len(names))  # a run of a dataset need not list features
        return cls(
            run_id=doc["run_id"],
            attempt=int(doc["attempt"]),
            model=doc["model"],
            request=doc["request"],
            entrypoint=doc["workflow"]["entrypoint"],
            workflow_digest=doc["workflow"].get("digest") or "",
            workflow_dir=base / (doc.get("workflow_dir") or "workflow"),
            inputs=tuple(Source.parse(d, n) for d, n in zip(doc["inputs"], names)),
            api=doc["api"].rstrip("/"),
            token=doc["token"],
            traceparent=doc.get("traceparent") or "",
            seed=int(doc.get("seed") or 0),
            threads=int(doc.get("threads") or 2),
            # Where the document lies on a volume that cannot be written, another folder stands in.
            cache_dir=Path(os.environ.get("SIGNALBOX_SCRATCH") or base) / (doc.get("cache_dir") or "cache"),
            workers=workers,
            rank=rank,
        )

"""Training without a control plane: the steps of a job on files of this machine, with the results in a folder.

Same rows, request, workflow file, seed and environment give the package that a job would publish.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from . import digest
from .client import Client
from .dataset import OTHER, column_type
from .job import Job
from .package import Package
from .profile import PREFIX
from .runner import Run

RUN_ID = "00000000-0000-0000-0000-000000000000"
HOLDOUT = {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.2}}
_MANIFEST = "manifest.json"  # of a dataset that was downloaded whole
_DEFAULT_SEED = 1  # of a request without custom_params.seed, as jobs have it


class LocalError(Exception):
    """What was asked for cannot be trained: a file is missing, or the request does not fit it."""


@dataclass(frozen=True)
class Local:
    """What to train. Empty members are taken from the request, then from the data."""

    workflow: Path  # one Python file, or the folder of the entrypoint's module
    entrypoint: str  # the class; <module>:<class> in a folder
    data: Path  # a Parquet file, or a folder of them
    request: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    features: Sequence[str] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 2


@dataclass(frozen=True)
class Result:
    """What a local run left."""

    package: str
    folder: Path
    metrics: dict[str, float]  # of the steps and of the workflow


class Folder(Client):
    """A client whose control plane is a folder: packages and files are written to it."""

    def __init__(self, folder: Path, say: Any = print) -> None:
        super().__init__("", "", RUN_ID, 1)
        self.folder, self.figures, self._say = folder, dict[str, float](), say

    def progress(self, step: str, seconds: float | None = None, metrics: Mapping[str, float] | None = None) -> None:
        """Print a step that has ended."""
        if seconds is None:
            return
        own = {k: v for k, v in (metrics or {}).items() if not k.startswith(PREFIX)}
        self.figures.update(own)
        self._say(f"{step:<10} {seconds:8.3f} s  " + "  ".join(f"{k}={v:g}" for k, v in own.items()))

    def publish(self, package: Package, model: str) -> None:
        """Write the files of a package, in place of those of an earlier run."""
        target = self.folder / "package"
        shutil.rmtree(target, ignore_errors=True)
        for path, blob in package.files.items():
            file = target / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(blob.data)
        (self.folder / "manifest.json").write_bytes(package.manifest)

    def upload_artifacts(self, artifacts: Mapping[str, bytes]) -> dict[str, str]:
        """Write files beside the package."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, data in artifacts.items():
            (self.folder / name).write_bytes(data)
        return {name: str(self.folder / name) for name in artifacts}

    def complete(self, package: str, artifacts: Mapping[str, str]) -> None:
        """Nothing is left to report."""

    def fail(self, exception: Mapping[str, Any], artifacts: Mapping[str, str]) -> None:
        """Nobody waits for a report."""


def train(what: Local, out: Path, say: Any = print) -> Result:
    """Run every step of a job and leave the package and its evaluation files in ``out``. Errors are the job's own."""
    out.mkdir(parents=True, exist_ok=True)
    client = Folder(out, say)
    with prepared(what) as job:
        run = Run(job, client)
        try:
            package = run.execute()
        finally:
            run.devices.close()
    recorded = json.loads((out / "metrics.json").read_text())["metrics"]
    return Result(package, out, {**client.figures, **recorded})


@contextmanager
def prepared(what: Local) -> Iterator[Job]:
    """Lay out a job's folder for a local run and yield the job."""
    files, described = _data(what.data)
    request = _request(what, files[0], described.get("label") or "")
    with tempfile.TemporaryDirectory(prefix="signalbox-local-") as scratch:
        base = Path(scratch)
        entrypoint = _copy_workflow(what, base / "workflow")
        (base / "cache").mkdir()
        parts = [_link(file, base / "cache") for file in files]
        inputs = {"digest": "", "columns": described.get("columns") or [], "label": described.get("label") or ""}
        seed = request["train"]["custom_params"].get("seed")
        document = {
            "version": 1,
            "run_id": RUN_ID,
            "attempt": 1,
            "model": request["model_name"],
            "request": request,
            "workflow": {"entrypoint": entrypoint},
            "inputs": [{**inputs, "parts": parts}],
            "api": "",
            "token": "",
            "seed": seed if type(seed) is int and seed >= 0 else _DEFAULT_SEED,
            "threads": what.threads,
        }
        path = base / "job.json"
        path.write_text(json.dumps(document))
        yield Job.load(path)


def _data(path: Path) -> tuple[list[Path], dict[str, Any]]:
    """Return the Parquet files in order, and the manifest of a dataset where there is one beside them."""
    if path.is_file():
        return [path], {}
    found = sorted(
        path.glob("*.parquet"), key=lambda p: [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", p.name)]
    )
    manifest = path / _MANIFEST
    if manifest.exists():
        described = json.loads(manifest.read_text("utf-8"))
        found = [path / part["key"].rpartition("/")[2] for part in described["parts"]]
        missing = [file.name for file in found if not file.exists()]
        if missing:
            raise LocalError(f"{manifest} lists files that are not beside it: {', '.join(missing)}")
        return found, described
    if not found:
        raise LocalError(f"{path} is neither a Parquet file nor a folder of *.parquet files")
    return found, {}


def _request(what: Local, file: Path, label: str) -> dict[str, Any]:
    """Return the request with what the caller says in its place, and defaults for what nobody said."""
    request = json.loads(json.dumps(what.request)) or {"data": {"holdout_sampling": HOLDOUT}}
    data, train = request.setdefault("data", {}), request.setdefault("train", {})
    if len(data.setdefault("features", [{}])) > 1:
        raise LocalError("the request names several sources; a local run has one: join them first")
    request.setdefault("model_name", what.workflow.stem.replace("_", "-"))
    train["label"] = what.label or train.get("label") or label
    train["custom_params"] = {**(train.get("custom_params") or {}), **what.params}
    if not train["label"]:
        raise LocalError("nobody says which column the label is: give --label")
    if what.features or not train.get("classifier_features"):
        train["classifier_features"] = list(what.features) or _usable(file, train["label"])
    return dict(request)


def _usable(file: Path, label: str) -> list[str]:
    """Return every column that a model can take."""
    return [f.name for f in pq.read_schema(file) if f.name != label and column_type(f.type) != OTHER]


def _copy_workflow(what: Local, target: Path) -> str:
    """Copy the sources and return the entrypoint."""
    if what.workflow.is_dir():
        shutil.copytree(what.workflow, target, ignore=shutil.ignore_patterns("__pycache__"))
        return what.entrypoint
    if not what.workflow.is_file():
        raise LocalError(f"there is no workflow {what.workflow}")
    target.mkdir()
    shutil.copy(what.workflow, target / what.workflow.name)
    return f"{what.workflow.stem}:{what.entrypoint}"


def _link(file: Path, cache: Path) -> dict[str, Any]:
    """Put a file into the cache under its digest and return the part of a job document for it."""
    name = digest.of_file(file)
    link = cache / name
    if not link.exists():
        link.symlink_to(file.resolve())
    return {"digest": name, "bytes": file.stat().st_size, "get": {"method": "GET", "url": file.resolve().as_uri()}}

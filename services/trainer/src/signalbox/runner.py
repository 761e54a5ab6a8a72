"""The job runner: ``python -m signalbox.runner job.json`` executes one attempt of a run.

Steps: fetch, preprocess, train, serialize, score, publish. Each is reported with its time and figures. The run ends by
a report of its own: complete with a package, or failed with an exception. Exit status 0 means complete, 3 that the
attempt is not ours: another process executes it, or the run has moved on. A signal ends the process at once and without
a report; whoever sent it knows why.

Where several workers execute the attempt, rank 0 does and reports all of this. The others fetch, preprocess and train
with it, and report nothing: one of them that fails ends with status 1, and whoever runs the workers ends the others.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import logging
import os
import resource
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import distributed, environment, evaluation, failure, log, rendezvous, streams
from .client import Client, Fenced, Worker
from .dataset import DatasetError, Input, fetch, merge_columns
from .distributed import Distributed
from .filters import apply
from .gpu import Devices
from .job import Job, JobError
from .links import PeerError
from .packaging import Built, build
from .profile import INTERVAL, PREFIX, Profile
from .rows import prepare
from .sampling import rows_of, split
from .signature import Field, learn_inputs
from .transport import StatusError, TransportError
from .workflow import Workflow
from .workflow_code import WorkflowCode

_log = logging.getLogger("signalbox.runner")

FENCED = 3
SERIES_LAST = 10.0  # seconds for the rest of the series
PEERS_END = 10.0  # seconds in which whoever runs the workers ends them all because of one
# What workflows and the frameworks of models import as a rule: a warm parent has them ready.
WARM = (
    "encodings.idna",
    "pyarrow.compute",
    "pyarrow.dataset",
    "pyarrow.pandas_compat",
    "signalbox.formats.lightgbm",
    "signalbox.formats.xgboost",
)
SAMPLE = 1024  # rows on which a package is checked against the workflow


@dataclass(frozen=True)
class Data:
    """What the model sees, and the holdout as it was stored."""

    fields: tuple[Field, ...]
    training: pd.DataFrame
    holdout: pd.DataFrame
    stored: pd.DataFrame
    sample: pd.DataFrame  # prepared rows to check the package on


class Run:
    """One attempt: the steps in order, and what is known so far should one of them fail."""

    def __init__(self, job: Job, client: Client, series: streams.Sender | None = None) -> None:
        self.job, self.client, self.series = job, client, series
        self.workers = Distributed()
        self.step_name = "start"
        self.steps: dict[str, dict[str, Any]] = {}
        self.lock = installed()
        self.devices = Devices(INTERVAL)

    def execute(self) -> str:
        """Run every step and return the id of the published package; "" where another worker publishes it."""
        self.workers = rendezvous.meet(self.job, self.client)
        environment.seed_everything(self.job.seed)
        code = WorkflowCode.load(self.job.workflow_dir, self.job.entrypoint)
        workflow = bind(code.create(), self.job)
        workflow.distributed = self.workers
        workflow.on_metric = self.record_metric
        inputs, frame = self.fetch(workflow)
        data = self.preprocess(workflow, inputs, frame)
        with self.step("train"):
            model = workflow.train(data.training, data.holdout)
            if model is None:
                raise TypeError("train returned None: return the fitted model")
        self.workers.interrupted = False
        if self.workers.rank:
            _log.info("rank %d is done", self.workers.rank)
            return ""
        with self.step("serialize") as figures:
            built = build(workflow, model, data.fields, data.sample, code.files, self.lock)
            figures.update(bytes=sum(len(b.data) for b in built.package.blobs()), files=len(built.package.files))
        artifacts = self.score(workflow, model, data, built)
        with self.step("publish"):
            self.client.publish(built.package, self.job.model)
        keys = self.client.upload_artifacts({**artifacts, **self.records(workflow)})
        self.end_series()
        self.client.complete(built.package.id, keys)
        _log.info("run complete: package %s", built.package.id)
        return built.package.id

    def fetch(self, workflow: Workflow) -> tuple[list[Input], pd.DataFrame]:
        """Bring the inputs here and read them."""
        with self.step("fetch") as figures:
            filters = (self.job.request.get("data") or {}).get("filters") or []
            inputs = [fetch(source, self.job.cache_dir, filters) for source in self.job.inputs]
            if not inputs:
                raise DatasetError("the job has no inputs")
            frame = workflow.fetch_data(inputs)
            workflow.classifier_label = workflow.classifier_label or inputs[0].label
            figures.update(rows=len(frame), columns=frame.shape[1], parts=sum(len(i.files) for i in inputs))
        return inputs, frame

    def preprocess(self, workflow: Workflow, inputs: list[Input], frame: pd.DataFrame) -> Data:
        """Filter, split, learn the features' types and apply the workflow's own preprocessing."""
        with self.step("preprocess") as figures:
            training, stored = self.sample(workflow, frame, figures)
            fields = learn_inputs(
                training, workflow.classifier_features, merge_columns(inputs), workflow.categorical_features
            )
            fields = self.agreed(fields)
            training, holdout = prepare(training, fields), prepare(stored, fields)
            sample = (holdout if len(holdout) else training).iloc[:SAMPLE]
            training = workflow.preprocess(training)
            # Few transformers take no rows.
            holdout = workflow.preprocess(holdout) if len(holdout) else training.iloc[:0]
            return Data(fields, training, holdout, stored, sample)

    def agreed(self, fields: tuple[Field, ...]) -> tuple[Field, ...]:
        """Return the fields with what any worker has learned of them: codes of categories must be the same for all."""
        if self.workers.world_size == 1:
            return fields
        documents = self.workers.gather([field.document() for field in fields])
        return tuple(Field.parse(doc) for doc in distributed.merged(documents))

    def score(self, workflow: Workflow, model: Any, data: Data, built: Built) -> dict[str, bytes]:
        """Score the holdout and return the files for evaluation."""
        with self.step("score") as figures:
            width = len(built.signature.outputs)
            scores = workflow.score(model, data.holdout) if len(data.holdout) else np.empty((0, width))
            files = dict(workflow.write_evaluation_data(scores, data.stored))
            files["scores.tsv"] = evaluation.scores_tsv(scores, built.signature.outputs)
            others = evaluation.others(data.stored, built.signature.inputs, workflow.classifier_label)
            files["holdout.jsonl"] = evaluation.holdout_jsonl(data.stored, built.signature.inputs + others)
            if workflow.classifier_label in data.stored.columns:
                labels = data.stored[workflow.classifier_label]
                files["labels.tsv"] = evaluation.labels_tsv(labels)
                figures.update(evaluation.binary_metrics(labels, scores))
            figures.update(rows=len(data.stored))
        return files

    def sample(
        self, workflow: Workflow, frame: pd.DataFrame, figures: dict[str, float]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Filter the rows, drop those without a label, and split them."""
        data = self.job.request.get("data") or {}
        filters = data.get("filters")
        frame = apply(frame, filters) if filters else rows_of(frame, np.ones(len(frame), dtype=bool))
        label = workflow.classifier_label
        if label and label not in frame.columns:
            raise DatasetError(f"the label {label!r} is no column of the data")
        if label:
            labelled = frame[label].notna().to_numpy()
            figures["rows_without_label"] = len(frame) - int(labelled.sum())
            frame = rows_of(frame, labelled)
        if not len(frame):
            raise DatasetError("no rows are left after the filters")
        training, holdout = split(frame, data.get("holdout_sampling"), data.get("date_column") or "", self.job.seed)
        figures.update(training_rows=len(training), holdout_rows=len(holdout))
        return training, holdout

    def records(self, workflow: Workflow | None = None) -> dict[str, bytes]:
        """Return the files that describe the attempt itself."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        peaks = [step["metrics"][PREFIX + "peak_memory_bytes"] for step in self.steps.values()]
        peaks.append(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
        document = {
            "steps": self.steps,
            "metrics": workflow.metrics if workflow else {},
            "process": {"peak_memory_bytes": max(peaks), "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3)},
        }
        return {
            "metrics.json": json.dumps(document, sort_keys=True, indent=1).encode() + b"\n",
            "environment.lock": self.lock.encode(),
        }

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, float]]:
        """Measure a step and report it; figures put into the yielded dict are reported with it."""
        self.step_name = name
        _log.info("step %s", name)
        self.client.progress(name)
        figures: dict[str, float] = {}
        profile = Profile(self.devices)
        try:
            with profile:
                yield figures
        finally:  # a step that fails is kept too: what it took may be why
            shown = " ".join(f"{k}={v:g}" for k, v in figures.items())
            figures.update(profile.figures())
            seconds = figures[PREFIX + "wall_seconds"]
            self.steps[name] = {"seconds": seconds, "metrics": figures}
        _log.info("step %s took %.3f s %s", name, seconds, shown)
        self.client.progress(name, seconds, figures)

    def record_metric(self, name: str, value: float, step: int | None) -> None:
        """Add a figure of the workflow to the series that can be watched."""
        if self.series is not None:
            self.series.write(streams.point(name, value, step))

    def end_series(self) -> None:
        """Send the rest of the series; what is missing of it is no reason to lose a model."""
        if self.series is None:
            return
        left = self.series.close(SERIES_LAST)
        if left or self.series.dropped or self.series.refused:
            lost = left + self.series.dropped
            _log.warning("series of metrics: %d bytes were not delivered %s", lost, self.series.refused)

    def report_failure(self, err: BaseException) -> None:
        """Tell the control plane why the attempt failed; what describes it is kept if it can be."""
        try:
            keys = self.client.upload_artifacts(self.records())
        except Exception as second:
            _log.warning("could not keep the attempt's records: %s", second)
            keys = {}
        self.end_series()
        document = failure.describe(err, self.step_name, self.job.workflow_dir, self.workers.interrupted)
        self.client.fail(document, keys)


@functools.cache
def installed() -> str:
    """Return the environment's lock. In a warm parent it is read along with the imports: it is of what they are of."""
    return environment.lock()


def warm() -> None:
    """Do what every job would do first. What is not installed is missed by those who need it, who can say so."""
    for name in WARM:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    installed()


def bind(workflow: Workflow, job: Job) -> Workflow:
    """Give a workflow what the request says."""
    train = job.request.get("train") or {}
    workflow.request = job.request
    workflow.custom_params = dict(train.get("custom_params") or {})
    workflow.classifier_features = list(train.get("classifier_features") or [])
    workflow.classifier_label = train.get("label") or ""
    workflow.seed, workflow.threads = job.seed, job.threads
    return workflow


def main(argv: list[str]) -> int:
    """Execute a job document and return the exit status."""
    if len(argv) != 1:
        print("usage: python -m signalbox.runner job.json", file=sys.stderr)
        return 2
    environment.require_hash_seed("signalbox.runner", argv)
    log.setup()
    try:
        job = Job.load(Path(argv[0]))
    except (JobError, OSError) as err:
        _log.error("%s", err)
        return 1
    _log.info("run %s attempt %d of model %s", job.run_id, job.attempt, job.model)
    executor = os.environ.get("SIGNALBOX_EXECUTOR") or str(uuid.uuid4())
    kind = Worker if job.rank else Client
    client = kind(job.api, job.token, job.run_id, job.attempt, job.traceparent, executor)
    try:
        if job.rank:
            _log.info("rank %d of %d", job.rank, job.workers)
            return attempt(Run(job, client))
        client.start()
        return attempt(Run(job, client, client.series()))
    except Fenced as err:
        _log.error("this attempt no longer counts: %s", err)
        return FENCED
    except (TransportError, StatusError) as err:
        _log.error("could not claim the attempt: %s", err)
        return 1


def attempt(run: Run) -> int:
    """Execute a run, report its failure if it fails, and return the exit status."""
    try:
        run.execute()
        return 0
    except Fenced:
        raise
    except Exception as err:
        _log.exception("step %s failed", run.step_name)
        if run.job.rank:
            return 1
        if run.workers.interrupted or isinstance(err, PeerError):
            # Another worker may have ended. Then this process is about to be, too, and the cause is known elsewhere.
            time.sleep(PEERS_END)
        try:
            run.report_failure(err)
        except Fenced:
            raise
        except Exception as second:
            _log.error("could not report the failure: %s", second)
        return 1
    finally:
        run.devices.close()
        run.workers.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

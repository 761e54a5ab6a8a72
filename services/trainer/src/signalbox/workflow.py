"""The workflow: what a user writes. One class with one method; the hooks are there for those who need them."""

from __future__ import annotations

import logging
import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from . import dataset, formats
from .arrays import Floats
from .distributed import Distributed

if TYPE_CHECKING:
    from .dataset import Input

# Members that live only while a job runs; a serialized workflow comes without them.
_JOB_ONLY = ("request", "metrics", "on_metric", "log", "distributed")

_METRIC = re.compile(r"[A-Za-z0-9._-]{1,100}")


class Workflow:
    """Trains one kind of model. Subclass it and write ``train``.

    The package that a run leaves computes ``score(model, preprocess(rows))``, exactly as training did. Where neither
    hook is overridden and the model is made of trees, a native engine serves it; otherwise a Python worker does.
    """

    #: Text features to be turned into categories; None: every one, (): none, they stay text.
    categorical_features: Sequence[str] | None = None

    #: Names of the outputs of ``score``. None: probability, prediction, or probability_<class>, by the model.
    output_names: Sequence[str] | None = None

    def __init__(self) -> None:
        """Create an unbound workflow; the runner sets what the request says before it calls a hook."""
        self.custom_params: dict[str, Any] = {}
        self.classifier_features: list[str] = []
        self.classifier_label: str = ""
        self.seed: int = 0
        self.threads: int = 2
        #: The training request as it came, unknown members included; empty when serving.
        self.request: dict[str, Any] = {}
        self.metrics: dict[str, float] = {}
        #: Where the runner wants to hear of each figure as it is logged.
        self.on_metric: Callable[[str, float, int | None], None] | None = None
        self.log = logging.getLogger("signalbox.workflow")
        #: The processes that train together; one that is alone has rank 0 of 1.
        self.distributed = Distributed()

    def train(self, training_dataframe: pd.DataFrame, holdout_dataframe: pd.DataFrame) -> Any:
        """Return a fitted model: anything with ``predict`` or ``predict_proba``, or what ``score`` understands.

        Feature columns are float64, or Categorical with sorted categories for text; other columns are as stored.
        """
        raise NotImplementedError(f"{type(self).__name__} must define train(training_dataframe, holdout_dataframe)")

    def fetch_data(self, inputs: Sequence[Input]) -> pd.DataFrame:
        """Return all rows. Override it to keep less of them: ``Input.batches`` reads data larger than memory."""
        return dataset.join([source.read() for source in inputs])

    def preprocess(self, dataframe: pd.DataFrame) -> pd.DataFrame:
        """Transform rows before training, before scoring and, once published, before each prediction.

        Rows to be predicted have the feature columns only.
        """
        return dataframe

    def score(self, model: Any, dataframe: pd.DataFrame) -> Floats:
        """Return one output a row, or a matrix with one row of outputs each. Default: the probability of the positive
        class for binary classifiers, of each class for others, else the prediction, as the model's framework has it."""
        return formats.of(model).predict(model, dataframe[self.classifier_features])

    def write_evaluation_data(self, scores: Floats, holdout_dataframe: pd.DataFrame) -> dict[str, bytes]:
        """Return further files to keep with the run, by name. scores.tsv, labels.tsv and holdout.jsonl are written
        in any case."""
        return {}

    def make_serializable(self, model: Any) -> Any:
        """Return what is to be packaged in the model's place, for models that hold what cannot be pickled."""
        return model

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        """Record a figure of this run; the last value of a name is its result.

        Each value can be watched while the job runs, with ``step`` (an epoch, an iteration) as its position. Calling
        this never waits. ValueError for a value that is not finite, a name of other characters than letters, digits,
        dots, dashes and underscores, and a negative step.
        """
        if not _METRIC.fullmatch(name):
            raise ValueError(f"metric {name[:100]!r}: want 1 to 100 letters, digits, dots, dashes, underscores")
        if not math.isfinite(value):
            raise ValueError(f"metric {name} is {value}: want a finite number")
        if step is not None and (step := operator.index(step)) < 0:
            raise ValueError(f"metric {name} at step {step}: want a step of 0 or more")
        self.metrics[name] = float(value)
        if self.on_metric is not None:
            self.on_metric(name, float(value), step)

    @property
    def lightgbm_params(self) -> dict[str, Any]:
        """Parameters that make LightGBM give the same model for the same data, on any number of threads."""
        return {
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.threads,
            "seed": self.seed,
            "verbosity": -1,
        }

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to the job: a package holds content only."""
        return {k: v for k, v in sorted(self.__dict__.items()) if k not in _JOB_ONLY}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a workflow for serving."""
        Workflow.__init__(self)
        self.__dict__.update(state)

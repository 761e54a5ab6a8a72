"""LightGBM models as model.txt, LightGBM's own text format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

from ..arrays import Floats
from ..signature import Field
from . import Framework, Native, NotNative, order_inputs, plain

FORMAT = "lightgbm-text"
FILE = "model.txt"

# Engines add the leaves up in the same order; only the last exp may round differently.
TOLERANCE = 1e-9

# Parameters that say where and how fast it was trained, not what came out.
_MACHINE_NAMES = (
    r"num_threads|num_machines|local_listen_port|time_out|machine\w*|pre_partition|\w*filename|data|valid|\w*_model"
)

# What the native engine computes from the sums of the leaves.
_OBJECTIVES = frozenset(
    "binary cross_entropy custom fair gamma huber lambdarank mape multiclass multiclassova poisson quantile "
    "rank_xendcg regression regression_l1 tweedie".split()
)

_MACHINE = re.compile(rf"^\[({_MACHINE_NAMES}): .*\]\n", re.MULTILINE)
_MACHINE_NAME = re.compile(rf"{_MACHINE_NAMES}|n_jobs|nthreads?|num_thread")


def native(model: Any, fields: tuple[Field, ...]) -> Native:
    """Return the text form of a Booster or of a scikit-learn style estimator."""
    booster = getattr(model, "booster_", model)
    if not isinstance(booster, lightgbm.Booster):
        raise NotNative(f"{type(model).__qualname__} holds no booster")
    inputs = order_inputs(booster.feature_name(), fields)
    text = _MACHINE.sub("", booster.model_to_string())
    if (why := unserved(text)) is not None:
        raise NotNative(why)
    data = text.encode()
    return Native(FORMAT, FILE, data, inputs, reader(data), TOLERANCE)


def unserved(text: str) -> str | None:
    """Return why the native engine cannot serve a model, None where it can."""
    header = text.partition("\nTree=")[0]
    fields = dict(re.findall(r"^(\w+)=(.*)$", header, re.MULTILINE))
    words = fields.get("objective", "").split() or ["custom"]
    if words[0] not in _OBJECTIVES or any(word.partition(":")[0] == "sqrt" for word in words):
        return f"the engine has no objective {' '.join(words)!r}"
    if words[0].startswith("multiclass") != (int(fields["num_tree_per_iteration"]) > 1) and words[0] != "custom":
        return f"the engine has no objective {words[0]!r} of {fields['num_tree_per_iteration']} outputs"
    if re.search(r"^is_linear=1", text, re.MULTILINE):
        return "the engine has no linear trees"
    frame = re.search(r"^pandas_categorical:(.*)$", text, re.MULTILINE)
    if frame and not all(isinstance(v, str) for values in json.loads(frame[1]) or [] for v in values):
        return "categories of the training frame are no texts"
    return None


def reader(data: bytes) -> Callable[[Floats], Floats]:
    """Return what model.txt computes for a matrix."""
    loaded = lightgbm.Booster(model_str=data.decode())
    return lambda values: np.asarray(loaded.predict(values, num_threads=1), dtype=np.float64)


def outputs(model: Any, width: int) -> list[str]:
    """Name the outputs. What a Booster predicts stands in its text only."""
    if not isinstance(model, lightgbm.Booster):
        return plain.outputs(model, width)
    header = model.model_to_string(num_iteration=1).partition("feature_names=")[0]
    classifies = re.search(r"^objective=(binary|cross_entropy|multiclass)", header, re.MULTILINE)
    return plain.numbered("probability" if classifies else "prediction", width)


def reduce(value: Any) -> Any:
    """Keep a Booster inside another model as its text, without what the machine added to it."""
    if type(value) is not lightgbm.Booster:
        return NotImplemented
    text = _MACHINE.sub("", value.model_to_string(num_iteration=-1))
    params = {k: v for k, v in sorted((value.params or {}).items()) if not _MACHINE_NAME.fullmatch(k)}
    return restore, (text, value.best_iteration, params)


def restore(text: str, best_iteration: int, params: dict[str, Any]) -> lightgbm.Booster:
    """Return the Booster that reduce kept."""
    booster = lightgbm.Booster(model_str=text)
    booster.best_iteration, booster.params = best_iteration, params
    return booster


def predict(model: Any, features: pd.DataFrame) -> Floats:
    """Return probabilities of a classifier, else the prediction."""
    return plain.predict(model, features)


FRAMEWORK = Framework(predict, outputs, native, reduce)

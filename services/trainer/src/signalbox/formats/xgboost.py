"""XGBoost models as model.json, XGBoost's own JSON format."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xgboost

from ..arrays import Floats
from ..signature import Field
from . import Framework, Native, NotNative, order_inputs, plain

FORMAT = "xgboost-json"
FILE = "model.json"

# XGBoost computes in float32; engines may add the leaves up in another order.
TOLERANCE = 1e-6

# What the native engine computes from the sums of the leaves.
_OBJECTIVES = frozenset(
    "binary:logistic reg:logistic reg:squarederror reg:absoluteerror reg:pseudohubererror reg:quantileerror "
    "rank:pairwise rank:ndcg multi:softprob".split()
)


def native(model: Any, fields: tuple[Field, ...]) -> Native:
    """Return the JSON form of a Booster or of a scikit-learn style estimator."""
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    if not isinstance(booster, xgboost.Booster):
        raise NotNative(f"{type(model).__qualname__} holds no booster")
    if (best := _best(booster)) is not None:
        booster = booster[:best]
    inputs = order_inputs(list(booster.feature_names or []) or [f.name for f in fields], fields)
    booster.set_param({"nthread": 1})
    data = bytes(booster.save_raw(raw_format="json"))
    if (why := unserved(data)) is not None:
        raise NotNative(why)
    return Native(FORMAT, FILE, data, inputs, reader(data), TOLERANCE)


def unserved(data: bytes) -> str | None:
    """Return why the native engine cannot serve a model, None where it can."""
    learner = json.loads(data)["learner"]
    booster, params, objective = (
        learner["gradient_booster"],
        learner["learner_model_param"],
        learner["objective"]["name"],
    )
    classes = int(params["num_class"])
    if booster["name"] != "gbtree":
        return f"the engine has no booster {booster['name']!r}"
    if objective not in _OBJECTIVES or (objective == "multi:softprob") != (classes > 1):
        return f"the engine has no objective {objective!r} of {classes} classes"
    if params.get("num_target", "1") not in ("0", "1"):
        return "the engine has one target"
    model = booster["model"]
    if not model["trees"] or any(kind != i % max(1, classes) for i, kind in enumerate(model["tree_info"])):
        return "the engine has no forests of several classes, and no models without trees"
    if any(any(tree["split_type"]) for tree in model["trees"]):
        return "the engine has no categorical splits of XGBoost"
    return None


def reader(data: bytes) -> Callable[[Floats], Floats]:
    """Return what model.json computes for a matrix."""
    loaded = xgboost.Booster(model_file=bytearray(data))

    def predict(values: Floats) -> Floats:
        matrix = xgboost.DMatrix(
            values, feature_names=loaded.feature_names, feature_types=loaded.feature_types, nthread=1
        )
        return np.asarray(loaded.predict(matrix), dtype=np.float64)

    return predict


def predict(model: Any, features: pd.DataFrame) -> Floats:
    """Return probabilities of a classifier, else the prediction; a Booster predicts with its best iteration."""
    if not isinstance(model, xgboost.Booster):
        return plain.predict(model, features)
    if model.feature_names:
        features = features[model.feature_names]
    matrix = xgboost.DMatrix(features, enable_categorical=True)
    return np.asarray(model.predict(matrix, iteration_range=(0, _best(model) or 0)), dtype=np.float64)


def outputs(model: Any, width: int) -> list[str]:
    """Name the outputs; a Booster says what it predicts in its configuration."""
    if not isinstance(model, xgboost.Booster):
        return plain.outputs(model, width)
    objective = str(json.loads(model.save_config())["learner"]["objective"]["name"])
    classifies = objective in ("binary:logistic", "reg:logistic", "multi:softprob")
    return plain.numbered("probability" if classifies else "prediction", width)


def reduce(value: Any) -> Any:
    """Keep a Booster inside another model as XGBoost's binary form, without what the machine added to it."""
    if type(value) is not xgboost.Booster:
        return NotImplemented
    return restore, (bytes(value.save_raw(raw_format="ubj")),)


def restore(data: bytes) -> xgboost.Booster:
    """Return the Booster that reduce kept."""
    return xgboost.Booster(model_file=bytearray(data))


def _best(booster: xgboost.Booster) -> int | None:
    """Return how many rounds count after early stopping, None for all."""
    best = booster.attr("best_iteration")
    return None if best is None else int(best) + 1


FRAMEWORK = Framework(predict, outputs, native, reduce)

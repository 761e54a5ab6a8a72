"""XGBoost models as model.json, XGBoost's own JSON format."""

from __future__ import annotations

from typing import Any

import numpy as np
import xgboost

from ..arrays import Floats
from ..signature import Field
from . import Native, NotNative, order_inputs

FORMAT = "xgboost-json"
FILE = "model.json"

# XGBoost computes in float32; engines may add the leaves up in another order.
TOLERANCE = 1e-6


def native(model: Any, fields: tuple[Field, ...]) -> Native:
    """Return the JSON form of a Booster or of a scikit-learn style estimator."""
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    if not isinstance(booster, xgboost.Booster):
        raise NotNative(f"{type(model).__qualname__} holds no booster")
    if getattr(booster, "best_iteration", None) is not None and booster.attr("best_iteration") is not None:
        booster = booster[: booster.best_iteration + 1]
    inputs = order_inputs(list(booster.feature_names or []) or [f.name for f in fields], fields)
    booster.set_param({"nthread": 1})
    data = bytes(booster.save_raw(raw_format="json"))
    loaded = xgboost.Booster(model_file=bytearray(data))

    def predict(values: Floats) -> Floats:
        matrix = xgboost.DMatrix(
            values, feature_names=loaded.feature_names, feature_types=loaded.feature_types, nthread=1
        )
        return np.asarray(loaded.predict(matrix), dtype=np.float64)

    return Native(FORMAT, FILE, data, inputs, predict, TOLERANCE)

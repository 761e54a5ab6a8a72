"""Prophet models in Prophet's own JSON."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
from prophet import Prophet
from prophet.serialize import model_from_json, model_to_json

from ..arrays import Floats
from . import Framework, plain

TIME = "ds"  # the column that Prophet reads the time from


def predict(model: Any, features: pd.DataFrame) -> Floats:
    """Return the forecast (yhat) for the feature ``ds``: texts such as 2018-10-01T12:00:00Z, or seconds since 1970."""
    if not isinstance(model, Prophet):
        return plain.predict(model, features)
    if TIME not in features:
        raise ValueError(f"Prophet wants the time in a feature named {TIME!r}: rename it, or override score")
    quick = copy.copy(model)
    quick.uncertainty_samples = 0  # intervals are drawn at random and cost most of the time
    return np.asarray(quick.predict(features.assign(**{TIME: times(features[TIME])}))["yhat"], dtype=np.float64)


def times(column: pd.Series) -> pd.Series:
    """Return points in time as Prophet wants them: UTC, without a zone."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if pd.api.types.is_numeric_dtype(column):
        return pd.to_datetime(column, unit="s")
    return pd.to_datetime(column, utc=True, format="ISO8601").dt.tz_localize(None)


def reduce(value: Any) -> Any:
    """Keep a model as JSON: the fitted Stan object inside cannot be pickled."""
    return (restore, (model_to_json(value),)) if type(value) is Prophet else NotImplemented


def restore(text: str) -> Prophet:
    """Return the model that reduce kept."""
    return model_from_json(text)


FRAMEWORK = Framework(predict, plain.outputs, reduce=reduce)

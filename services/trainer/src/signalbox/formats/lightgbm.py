"""LightGBM models as model.txt, LightGBM's own text format."""

from __future__ import annotations

import re
from typing import Any

import lightgbm
import numpy as np

from ..arrays import Floats
from ..signature import Field
from . import Native, NotNative, order_inputs

FORMAT = "lightgbm-text"
FILE = "model.txt"

# Engines add the leaves up in the same order; only the last exp may round differently.
TOLERANCE = 1e-9

# Parameters that say where and how fast it was trained, not what came out.
_MACHINE = re.compile(
    r"^\[(num_threads|num_machines|local_listen_port|time_out|machine\w*|pre_partition|\w*filename|data|valid"
    r"|\w*_model): .*\]\n",
    re.MULTILINE,
)


def native(model: Any, fields: tuple[Field, ...]) -> Native:
    """Return the text form of a Booster or of a scikit-learn style estimator."""
    booster = getattr(model, "booster_", model)
    if not isinstance(booster, lightgbm.Booster):
        raise NotNative(f"{type(model).__qualname__} holds no booster")
    inputs = order_inputs(booster.feature_name(), fields)
    text = _MACHINE.sub("", booster.model_to_string())
    loaded = lightgbm.Booster(model_str=text)

    def predict(values: Floats) -> Floats:
        return np.asarray(loaded.predict(values, num_threads=1), dtype=np.float64)

    return Native(FORMAT, FILE, text.encode(), inputs, predict, TOLERANCE)

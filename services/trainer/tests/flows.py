"""Workflows that are fit to be served, and some that are not: each has one fault."""

from __future__ import annotations

import random
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from signalbox import Workflow


class Good(Workflow):
    """A booster, seeded."""

    def train(self, training_dataframe: pd.DataFrame, holdout_dataframe: pd.DataFrame) -> Any:
        data = lgb.Dataset(training_dataframe[self.classifier_features], training_dataframe[self.classifier_label])
        return lgb.train({"objective": "binary", "num_leaves": 5, **self.lightgbm_params}, data, 5)


class Mean:
    """Predicts a number and a little of a feature."""

    def __init__(self, mean: float) -> None:
        self.mean = mean

    def predict(self, dataframe: pd.DataFrame) -> npt.NDArray[Any]:
        return np.asarray(self.mean + dataframe["distance"].to_numpy() * 1e-6)


class GoodPython(Workflow):
    """A model of its own kind."""

    def train(self, training_dataframe: pd.DataFrame, holdout_dataframe: pd.DataFrame) -> Any:
        return Mean(float(training_dataframe[self.classifier_label].mean()))


class Unseeded(GoodPython):
    """Draws at random without a seed."""

    def train(self, training_dataframe: pd.DataFrame, holdout_dataframe: pd.DataFrame) -> Any:
        return Mean(random.SystemRandom().random())


class LooksAround(GoodPython):
    """Scales by the other rows of the request."""

    def preprocess(self, dataframe: pd.DataFrame) -> pd.DataFrame:
        return dataframe.assign(distance=dataframe["distance"] / dataframe["distance"].max() * 1e6)


class Peeks(GoodPython):
    """Uses the label where it is there."""

    def score(self, model: Any, dataframe: pd.DataFrame) -> npt.NDArray[Any]:
        plain = super().score(model, dataframe)
        return plain + dataframe["late"].to_numpy() if "late" in dataframe else plain


class Seen:
    """Fails on what it has not seen."""

    def predict(self, dataframe: pd.DataFrame) -> npt.NDArray[Any]:
        return np.asarray(dataframe["origin"].map({"EWR": 0.1, "JFK": 0.2, "LGA": 0.3}), dtype=float)


class Seeing(GoodPython):
    """Gives nothing for a category that training has not seen."""

    def train(self, training_dataframe: pd.DataFrame, holdout_dataframe: pd.DataFrame) -> Any:
        return Seen()

"""Models and workflows that tests package: a module of its own, as the code of a package must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from signalbox import Workflow


class Constant:
    """A model that no engine knows."""

    def predict(self, dataframe: pd.DataFrame) -> npt.NDArray[Any]:
        return np.full(len(dataframe), 0.25)


class Forgetful(Constant):
    """A model that does not survive its pickle."""

    def __init__(self) -> None:
        self.shift = 1.0

    def predict(self, dataframe: pd.DataFrame) -> npt.NDArray[Any]:
        return np.full(len(dataframe), getattr(self, "shift", 0.0))

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Callable:
    """A model that is called."""

    def __call__(self, dataframe: pd.DataFrame) -> npt.NDArray[Any]:
        return np.asarray(dataframe["distance"].to_numpy() / 1000)


class Strict(Constant):
    """A model that fails on rows that training has not seen."""

    def predict(self, dataframe: pd.DataFrame) -> npt.NDArray[Any]:
        if dataframe["carrier"].isna().any():
            raise ValueError("carrier is missing")
        return super().predict(dataframe)


class Holder(Workflow):
    """A workflow that keeps what is no model of its own in an object of its own."""

    def score(self, model: Any, dataframe: pd.DataFrame) -> npt.NDArray[Any]:
        return np.asarray(model["inner"].predict(dataframe[self.classifier_features]))

"""Models that follow the conventions of Python alone: predict_proba, predict, transform, or a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..arrays import Floats
from . import Framework


def predict(model: Any, features: pd.DataFrame) -> Floats:
    """Return the probability of the positive class of a binary classifier, of each class of another, else what the
    model predicts. TypeError for a model that does none of it, or predicts something else than numbers."""
    if hasattr(model, "predict_proba"):
        return probabilities(model.predict_proba(features))
    for method in ("predict", "transform", "__call__"):
        if hasattr(model, method):
            return numbers(getattr(model, method)(features), f"{type(model).__qualname__}.{method}")
    raise TypeError(
        f"{type(model).__qualname__} has neither predict_proba, predict, transform nor __call__: override score"
    )


def probabilities(found: Any) -> Floats:
    """Return what predict_proba gave as one matrix, or one column for a single binary output.

    Classifiers with several outputs give a list, one matrix an output.
    """
    if isinstance(found, list) and len(found) and np.ndim(found[0]) == 2:
        return np.hstack([np.asarray(m, dtype=np.float64)[:, kept(np.shape(m)[1])] for m in found])
    matrix = np.asarray(found, dtype=np.float64)
    if matrix.ndim == 1:
        return matrix
    return matrix[:, 1] if matrix.shape[1] == 2 else matrix


def kept(count: int) -> slice:
    """Return which columns of so many classes are outputs: of two the second says all."""
    return slice(1, 2) if count == 2 else slice(None)


def numbers(found: Any, what: str) -> Floats:
    """Return outputs as float64. TypeError where they are no numbers."""
    if hasattr(found, "toarray"):  # a sparse matrix
        found = found.toarray()
    try:
        array = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError) as err:
        raise TypeError(f"{what} gives no numbers ({err}): override score to return numbers") from err
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def outputs(model: Any, width: int) -> list[str]:
    """Name the outputs: probability, probability_<class>, probability_<output>_<class>, or prediction."""
    classifies = hasattr(model, "predict_proba")
    classes = getattr(model, "classes_", None)
    if classifies and isinstance(classes, list) and classes and np.ndim(classes[0]) == 1:
        names = _of_several(classes)
    elif classifies and width > 1 and classes is not None and len(classes) == width:
        names = [f"probability_{c}" for c in classes]
    else:
        return numbered("probability" if classifies else "prediction", width)
    return names if len(names) == width else numbered("probability", width)


def _of_several(classes: Sequence[Sequence[Any]]) -> list[str]:
    return [f"probability_{i}_{c}" for i, each in enumerate(classes) for c in list(each)[kept(len(each))]]


def numbered(word: str, width: int) -> list[str]:
    """Return the word for one output, numbered words for several."""
    return [word] if width == 1 else [f"{word}_{i}" for i in range(width)]


FRAMEWORK = Framework(predict, outputs)

"""scikit-learn estimators, pipelines and all that derives from them. Pickle keeps them as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..arrays import Floats
from . import Framework, plain


def predict(model: Any, features: pd.DataFrame) -> Floats:
    """Return probabilities; the decision function of a classifier that has none; else the prediction."""
    if hasattr(model, "predict_proba"):
        found = model.predict_proba(features)
        return np.asarray(found, dtype=np.float64) if _multilabel(model) else plain.probabilities(found)
    if hasattr(model, "decision_function") and hasattr(model, "classes_"):
        return plain.numbers(model.decision_function(features), "decision_function")
    return plain.predict(model, features)


def outputs(model: Any, width: int) -> list[str]:
    """Name the outputs as plain models do; those of a decision function are scores."""
    if hasattr(model, "predict_proba"):
        return plain.numbered("probability", width) if _multilabel(model) else plain.outputs(model, width)
    if hasattr(model, "decision_function") and hasattr(model, "classes_"):
        classes = list(model.classes_)
        return [f"score_{c}" for c in classes] if len(classes) == width else plain.numbered("score", width)
    return plain.outputs(model, width)


def _multilabel(model: Any) -> bool:
    """Report whether each column of predict_proba is a label of its own: then two columns are two outputs."""
    steps = getattr(model, "steps", None)
    last = steps[-1][1] if steps else model
    return bool(getattr(last, "multilabel_", False))


FRAMEWORK = Framework(predict, outputs)

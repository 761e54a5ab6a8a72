"""fastText classifiers in fastText's own binary form.

fastText 0.9.2 initializes as many tenths of its matrix as it has threads: train with ten of them at least. They race
for the weights, so that each training gives another package.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pandas as pd

from ..arrays import Floats
from . import Framework, plain

_PREFIX = "__label__"


def predict(model: Any, features: pd.DataFrame) -> Floats:
    """Return the probability of each label, in the order of their names; of two only the second.

    Features are joined by spaces to the text that is classified.
    """
    names = labels(model)
    places = {name: i for i, name in enumerate(names)}
    values = np.zeros((len(features), len(names)))
    for row, text in enumerate(texts(features)):
        # Not model.predict: it asks NumPy for a view where only a copy is possible, which NumPy 2 refuses.
        for probability, label in model.f.predict(text + "\n", len(names), 0.0, "strict"):
            values[row, places[label]] = min(probability, 1.0)
    return plain.probabilities(values)


def texts(features: pd.DataFrame) -> list[str]:
    """Return the rows as texts of one line."""
    columns = [features[c].astype(object).where(features[c].notna(), "").astype(str) for c in features]
    return [" ".join(" ".join(cells).split()) for cells in zip(*columns)]


def labels(model: Any) -> list[str]:
    """Return the labels of a classifier, sorted. TypeError for a model of words alone."""
    found = sorted(model.get_labels())
    if not found or not all(label.startswith(_PREFIX) for label in found):
        raise TypeError("this fastText model has no labels: override score to use its word vectors")
    return found


def outputs(model: Any, width: int) -> list[str]:
    """Name the outputs after the labels."""
    if width == 1:
        return ["probability"]
    return [f"probability_{label.removeprefix(_PREFIX)}" for label in labels(model)]


def reduce(value: Any) -> Any:
    """Keep a model as the file that fastText writes."""
    if not hasattr(value, "save_model") or type(value).__module__.partition(".")[0] != "fasttext":
        return NotImplemented
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "model.bin")
        value.save_model(str(path))
        return restore, (path.read_bytes(),)


def restore(data: bytes) -> Any:
    """Return the model that reduce kept."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "model.bin")
        path.write_bytes(data)
        return fasttext.load_model(str(path))


FRAMEWORK = Framework(predict, outputs, reduce=reduce)

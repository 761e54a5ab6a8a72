"""Signatures: what goes into a model and what comes out, as the file signature.json of a package."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from .dataset import NUMBER, OTHER, STRING, Column, DatasetError

FILE = "signature.json"
GOLDEN_FILE = "golden.jsonl"

RUNTIME_TREES = "trees"
RUNTIME_PYTHON = "python"


@dataclass(frozen=True)
class Field:
    """A column of a signature. Categories are the known values of a text column, in the order of their codes."""

    name: str
    type: str
    nullable: bool
    categories: tuple[str, ...] | None = None

    def document(self) -> dict[str, Any]:
        """Return the JSON form."""
        doc: dict[str, Any] = {"name": self.name, "type": self.type, "nullable": self.nullable}
        if self.categories:
            doc["categories"] = list(self.categories)
        return doc

    @classmethod
    def parse(cls, doc: Mapping[str, Any]) -> Field:
        """Read the JSON form."""
        categories = doc.get("categories")
        return cls(doc["name"], doc["type"], doc["nullable"], tuple(categories) if categories else None)


@dataclass(frozen=True)
class Signature:
    """What goes in, what comes out, and which engine computes it."""

    runtime: str
    format: str
    model: str  # file of the package
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    tolerance: float

    def encode(self) -> bytes:
        """Return the bytes of signature.json: sorted keys, so that equal signatures are equal files."""
        doc = {
            "runtime": self.runtime,
            "format": self.format,
            "model": self.model,
            "inputs": [f.document() for f in self.inputs],
            "outputs": [f.document() for f in self.outputs],
            "golden": GOLDEN_FILE,
            "tolerance": self.tolerance,
        }
        return json.dumps(doc, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Signature:
        """Read signature.json."""
        doc = json.loads(data)
        inputs = tuple(Field.parse(d) for d in doc["inputs"])
        outputs = tuple(Field.parse(d) for d in doc["outputs"])
        return cls(doc["runtime"], doc["format"], doc["model"], inputs, outputs, doc["tolerance"])


def learn_inputs(
    frame: pd.DataFrame, features: Sequence[str], columns: Mapping[str, Column], categorical: Sequence[str] | None
) -> tuple[Field, ...]:
    """Describe the features of a training frame. DatasetError for one that no model can take.

    Text columns named in ``categorical`` (None: all of them) get their sorted values as categories.
    """
    fields = []
    for name in features:
        if name not in frame.columns or name not in columns:
            raise DatasetError(f"classifier_features names {name!r}, which the data lacks")
        column = columns[name]
        if column.type == OTHER:
            raise DatasetError(
                f"feature {name!r} has type {frame[name].dtype}: derive a number or a text in the dataset"
            )
        nullable = column.nullable or bool(frame[name].isna().any())
        known = None
        if column.type == STRING and (categorical is None or name in categorical):
            known = tuple(sorted(v for v in frame[name].unique() if not pd.isna(v))) or None
        fields.append(Field(name, column.type, nullable, known))
    return tuple(fields)


def number(name: str) -> Field:
    """Return an output column of numbers."""
    return Field(name, NUMBER, False)

"""Golden rows: requests with the answers that training computed. A server reproduces them before it serves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from . import rows
from .arrays import Floats, Positions
from .signature import Field, Signature

LIMIT = 64  # rows

_PLAIN = 40  # rows as they are
_HOLED = 12  # rows that have nulls in the data
UNKNOWN = "__unknown__"


def encode(signature: Signature, sample: pd.DataFrame, predict: Callable[[pd.DataFrame], Floats]) -> bytes:
    """Return golden.jsonl: rows of ``sample``, and such rows with null and with unknown categories."""
    requests = pick(sample, signature.inputs)
    scores = predict(rows.from_json(requests, signature.inputs)) if requests else np.zeros((0,))
    names = [f.name for f in signature.outputs]
    lines = []
    for request, score in zip(requests, scores.reshape(len(requests), len(names))):
        output = dict(zip(names, (float(v) for v in score)))
        lines.append(json.dumps({"input": request, "output": output}, ensure_ascii=False, allow_nan=False))
    return "".join(line + "\n" for line in lines).encode()


def pick(sample: pd.DataFrame, fields: tuple[Field, ...]) -> list[dict[str, Any]]:
    """Return at most LIMIT requests, the same for the same sample."""
    if sample.empty:
        return []
    holed = sample[[f.name for f in fields]].isna().any(axis=1).to_numpy()
    chosen = [*_spread(np.flatnonzero(~holed), _PLAIN), *_spread(np.flatnonzero(holed), _HOLED)]
    requests = list(rows.to_json(sample.iloc[chosen], fields))
    room = LIMIT - len(requests)
    return requests + _variants(requests, fields)[:room]


def _variants(requests: list[dict[str, Any]], fields: tuple[Field, ...]) -> list[dict[str, Any]]:
    """Rows that the data may lack: all nullable columns null, all categories unknown, then one null at a time."""
    nullable = [f.name for f in fields if f.nullable]
    categorical = [f.name for f in fields if f.categories]
    made = []
    if nullable:
        made.append({**requests[0], **dict.fromkeys(nullable)})
    if categorical:
        made.append({**requests[0], **dict.fromkeys(categorical, UNKNOWN)})
    for i, name in enumerate(nullable):
        made.append({**requests[(i + 1) % len(requests)], name: None})
    return made


def _spread(positions: Positions, count: int) -> list[int]:
    """Return at most ``count`` of the positions, evenly spread."""
    if len(positions) <= count:
        return [int(p) for p in positions]
    return [int(positions[i * len(positions) // count]) for i in range(count)]

"""What notebooks show in the place of an object."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api import Status, Step


def described(status: Status, steps: Sequence[Step]) -> dict[str, str]:
    """Return what is worth showing of a run, by name."""
    cells = {"run": status.id, "model": status.model, "state": status.state, "attempt": str(status.attempt)}
    if status.compute_class:
        cells["compute class"] = status.compute_class
    if status.package:
        cells["package"] = status.package
    if status.exception:
        cells["exception"] = f"{status.exception.type}: {status.exception.message}"
    for step in steps:
        cells[f"step {step.name}"] = f"{step.seconds:.3f} s"
    return cells


def table(cells: Mapping[str, str]) -> str:
    """Return a table of names and values. Whatever they hold, it is shown as text."""
    rows = (f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in cells.items())
    return f"<table>{''.join(rows)}</table>"

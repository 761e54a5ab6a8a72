"""The user's sources: read for the package, imported for the job."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

from .workflow import Workflow


class EntrypointError(Exception):
    """The entrypoint names no Workflow class."""


@dataclass(frozen=True)
class WorkflowCode:
    """The files of a workflow by relative path, and the class among them."""

    kind: type[Workflow]
    files: dict[str, bytes]

    @classmethod
    def load(cls, folder: Path, entrypoint: str) -> WorkflowCode:
        """Import ``<module>:<class>`` from a folder. EntrypointError where there is no such workflow."""
        module_name, _, class_name = entrypoint.partition(":")
        files = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }
        sys.dont_write_bytecode = True  # the folder is what was declared, nothing more
        sys.path.insert(0, str(folder))
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as err:
            if err.name != module_name:
                raise
            raise EntrypointError(f"entrypoint {entrypoint!r}: the workflow has no module {module_name!r}") from err
        kind = getattr(module, class_name, None)
        if not (isinstance(kind, type) and issubclass(kind, Workflow)):
            raise EntrypointError(f"entrypoint {entrypoint!r}: {class_name!r} is no subclass of signalbox.Workflow")
        return cls(kind, files)

    def create(self) -> Workflow:
        """Return a new workflow. A class with its own __init__ need not call ours."""
        workflow = self.kind.__new__(self.kind)
        Workflow.__init__(workflow)
        workflow.__init__()  # type: ignore[misc]
        return workflow

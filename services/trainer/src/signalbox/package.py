"""Packages: files named by content. The id is the digest of a canonical OCI manifest that lists them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from . import canonical, digest

MEDIA_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MEDIA_ARTIFACT = "application/vnd.cncf.model.manifest.v1+json"
MEDIA_CONFIG = "application/vnd.cncf.model.config.v1+json"
MEDIA_WEIGHT = "application/vnd.cncf.model.weight.v1.raw"
MEDIA_WEIGHT_CONFIG = "application/vnd.cncf.model.weight.config.v1.raw"
MEDIA_CODE = "application/vnd.cncf.model.code.v1.raw"
MEDIA_DOC = "application/vnd.cncf.model.doc.v1.raw"

_ANNOTATION_PATH = "org.cncf.model.filepath"


@dataclass(frozen=True)
class Blob:
    """Some bytes and what they are."""

    media_type: str
    data: bytes

    @cached_property
    def digest(self) -> str:
        """The digest of the bytes."""
        return digest.of(self.data)

    def descriptor(self) -> dict[str, Any]:
        """Return the OCI descriptor."""
        return {"digest": digest.oci(self.digest), "mediaType": self.media_type, "size": len(self.data)}


@dataclass(frozen=True)
class Package:
    """A model package: its format and its files by path. It holds no name, time, run or user."""

    format: str
    files: dict[str, Blob]

    @cached_property
    def config(self) -> Blob:
        """The config document: the format, and the files once more as OCI wants them."""
        diff_ids = [digest.oci(self.files[path].digest) for path in self._paths()]
        doc = {
            "config": {"format": self.format},
            "descriptor": {},
            "modelfs": {"diffIds": diff_ids, "type": "layers"},
        }
        return Blob(MEDIA_CONFIG, canonical.encode(doc))

    @cached_property
    def manifest(self) -> bytes:
        """The canonical manifest."""
        layers = [{"annotations": {_ANNOTATION_PATH: path}, **self.files[path].descriptor()} for path in self._paths()]
        return canonical.encode(
            {
                "artifactType": MEDIA_ARTIFACT,
                "config": self.config.descriptor(),
                "layers": layers,
                "mediaType": MEDIA_MANIFEST,
                "schemaVersion": 2,
            }
        )

    @cached_property
    def id(self) -> str:
        """The identity: the digest of the manifest."""
        return digest.of(self.manifest)

    def blobs(self) -> list[Blob]:
        """Return the config and the files: everything that must be stored before the manifest."""
        return [self.config, *(self.files[path] for path in self._paths())]

    def _paths(self) -> list[str]:
        return sorted(self.files, key=lambda path: path.encode())

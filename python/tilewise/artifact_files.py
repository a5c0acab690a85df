# SPDX-License-Identifier: Apache-2.0
"""Reads the artifact store's files (src/runtime/disk_cache.h) for `inspect` and `doctor`."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEADER = struct.Struct("<8sII3Q32s")
_CHECKED_BYTES = _HEADER.size - 32


@dataclass
class StoredArtifact:
    """One compiled specialization: what was asked for and what came of it."""

    path: Path
    request: str
    metadata: dict[str, str]
    payload: bytes

    @property
    def kernel(self) -> str:
        """The kernel as reports spell it, e.g. "foreach/norm:norm_tensors"."""
        lines = dict(line.partition("=")[::2] for line in self.request.splitlines()[:4])
        return f"{lines.get('kernel', '')}:{lines.get('function', '')}"


def read_artifact(path: Path) -> StoredArtifact | None:
    """The artifact of a file; None for one that is damaged or not of this format."""
    content = path.read_bytes()
    if len(content) < _HEADER.size:
        return None
    magic, version, header_bytes, request, metadata, payload, checksum = _HEADER.unpack_from(
        content
    )
    body = content[_HEADER.size :]
    if (magic, version, header_bytes) != (b"TILEWISE", 1, _HEADER.size):
        return None
    if request + metadata + payload != len(body):
        return None
    if hashlib.sha256(content[:_CHECKED_BYTES] + body).digest() != checksum:
        return None
    lines = body[request : request + metadata].decode().splitlines()
    return StoredArtifact(
        path,
        body[:request].decode(),
        dict(line.partition("=")[::2] for line in lines),
        body[request + metadata :],
    )


def stored_artifacts(store: str | Path) -> Iterator[StoredArtifact]:
    """All whole artifacts of a store, in the order of their keys."""
    for path in sorted(Path(store).glob("artifacts/??/*")):
        if path.suffix != ".part" and (artifact := read_artifact(path)) is not None:
            yield artifact

"""The hash by which DVC and the registry know a file."""

import hashlib
from pathlib import Path


def file_md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

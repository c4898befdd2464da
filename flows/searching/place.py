"""Where one style's search has its files."""

from dataclasses import dataclass
from pathlib import Path

from flows.searching.errors import SearchError


@dataclass(frozen=True)
class Place:
    """One style of one workspace."""

    root: Path
    style: str

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts" / self.style

    @property
    def folder(self) -> Path:
        return self.artifacts / "search"

    @property
    def family(self) -> Path:
        return self.folder / "family.safetensors"

    def made(self, name: str) -> Path:
        """A file that the pipeline has made for the style. Raises `SearchError`."""
        file = self.artifacts / name
        if not file.exists():
            raise SearchError(f"{file.relative_to(self.root)}: is not there; run `python -m flows.compress` first")
        return file

"""Which workspace this is in MLflow, where several meet: a path is not enough, containers have the same ones."""

import uuid
from pathlib import Path

from anime_model.pictures.atomic import write_whole


def workspace_id(root: Path) -> str:
    """32 hexadecimal digits that stay with the folder where it is moved; a copy of it gets others."""
    file, inode = root / ".prefect" / "workspace.id", str(root.stat().st_ino)
    if file.exists():
        found, _, where = file.read_text().partition(" ")
        if where == inode and len(found) == 32:
            return found
    file.parent.mkdir(exist_ok=True)
    found = uuid.uuid4().hex
    write_whole(file, f"{found} {inode}")
    return found

"""What the studio is started with. Every view gets the same `Studio` and adds its components to the open page:
`def build(studio: Studio) -> None`."""

from dataclasses import dataclass
from pathlib import Path

LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Studio:
    """`project` is the root of a pipeline project, whose artifacts/ and results/ are shown; `tracking_uri` is MLflow's.

    `token` unlocks promote and roll back, which are off without one. `database` is the panel's SQLite file. `threads`
    are the cores of one picture, `concurrency` the pictures drawn at once, `queue_length` the requests that may wait.
    `max_pixels` bounds one picture, `max_upload` one uploaded file (bytes).
    """

    project: Path | None = None
    tracking_uri: str | None = None
    token: str | None = None
    database: Path = Path("panel.db")
    threads: int = 1
    concurrency: int = 2
    queue_length: int = 32
    max_pixels: int = 50_000_000
    max_upload: int = 40_000_000
    languages: tuple[str, ...] = LANGUAGES

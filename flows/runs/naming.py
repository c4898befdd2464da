"""Names and tags by which people find a flow run among others in Prefect's pages."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from prefect import get_client, runtime

from anime_model.recipes.recipe import load_recipe
from flows.machine import git
from flows.pipeline.recipe_file import recipe_name


def introduce(root: Path, styles: Sequence[str] | None = None) -> None:
    """Inside a flow run: `demo · cel+ink · 1a2b3c4` for its name, each part as a tag; `styles` are all by default."""
    styles, commit = styles or load_recipe(root / "params.yaml").styles, git.commit(root)[0][:7]
    name(f"{recipe_name(root)} · {'+'.join(styles)} · {commit}", [recipe_name(root), *styles, commit])


def name(text: str, tags: Sequence[str]) -> None:
    """A run that cannot be named runs all the same."""
    with contextlib.suppress(Exception), get_client(sync_client=True) as client:
        kept = dict.fromkeys([*(runtime.flow_run.tags or ()), *tags])
        client.update_flow_run(UUID(str(runtime.flow_run.id)), name=text, tags=list(kept))

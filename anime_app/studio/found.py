"""What a search has found of a style, for the view Compare."""

from pathlib import Path

from anime_app.studio.engineer_texts import line_html, text_html
from anime_model.figures.search import read_members, search_html


def found(project: Path | None, style: str | None) -> str:
    """The chart and the table of the style's members; one line where there is no search, or its table is damaged."""
    if project is None or style is None:
        return f'<p class="empty">{text_html("search_none", style=style or "STYLE")}</p>'
    try:
        path = next((path for path in tables(project, style) if path.is_file()), None)
        members = read_members(path) if path else []
    except (ValueError, OSError) as error:
        return f'<p class="notice problem">{line_html(str(error))}</p>'
    if not members:
        return f'<p class="empty">{text_html("search_none", style=style)}</p>'
    return search_html(style, members, text_html)


def tables(project: Path, style: str) -> list[Path]:
    """Where a search leaves its members, all of them before those of its front."""
    folder = project / "artifacts" / style / "search"
    return [folder / "trials.csv", folder / "front.csv", project / "results" / f"search_{style}.csv"]

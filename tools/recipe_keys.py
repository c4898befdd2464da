"""Writes the table of all keys of a recipe into docs/recipes.md: `python -m tools.recipe_keys`.

Each key is described where it is declared, in `anime_model/recipes/`.
"""

import re
import types
import typing
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Le, MultipleOf
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from anime_model.recipes.distillation import DistillSettings
from anime_model.recipes.recipe import Recipe

PAGE = Path("docs/recipes.md")
BLOCK = re.compile(r"(<!-- keys: .*?-->\n)(.*?)(<!-- end of keys -->)", re.DOTALL)
HEAD = "| key | values | default | what it decides |\n| --- | --- | --: | --- |\n"


def rows(section: type = Recipe, where: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Key, values, default and meaning of every key below `section`; what stages share is told once."""
    hints = typing.get_type_hints(section, include_extras=True)
    for item in fields(section):
        name, hint = f"{where}{item.name}", hints[item.name]
        kind = typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
        if is_dataclass(kind) and not (kind is DistillSettings and where):
            yield from rows(kind, f"{name}.")
        else:
            yield f"`{name}`", values(hint), default(item), meaning(hint)


def values(hint: Any) -> str:
    """Bounds, choices, or the kind of a value."""
    kind, extras = _parts(hint)
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in typing.get_args(kind))
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return f"{values(_with(typing.get_args(kind)[0], extras))}, `null`"
    if typing.get_origin(kind) is tuple:
        return f"list of {values(typing.get_args(kind)[0])}"
    if typing.get_origin(kind) is dict:
        named, each = typing.get_args(kind)
        return f"{values(named)}: {values(each)}"
    if is_dataclass(kind):
        return "section"
    low = next((rule.ge for rule in extras if isinstance(rule, Ge)), None)
    high = next((rule.le for rule in extras if isinstance(rule, Le)), None)
    steps = "".join(f", in steps of {rule.multiple_of}" for rule in extras if isinstance(rule, MultipleOf))
    if low is None:
        return {str: "text", bool: "`true`, `false`", int: "whole number", float: "number"}[kind]
    return f"{_number(low)} ... {_number(high)}{steps}"


def _parts(hint: Any) -> tuple[Any, list[Any]]:
    """The kind of a value and all rules about it, those inside `Field` too."""
    if typing.get_origin(hint) is not Annotated:
        return hint, []
    kind, *extras = typing.get_args(hint)
    rules = [rule for extra in extras for rule in (extra.metadata if isinstance(extra, FieldInfo) else [extra])]
    return kind, rules


def _with(kind: Any, rules: list[Any]) -> Any:
    return Annotated[kind, *rules] if rules else kind


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def default(item: Field) -> str:
    """As it would stand in a recipe; empty for a section, whose keys have their own."""
    made = item.default_factory() if item.default_factory is not MISSING else item.default
    made = made.default if isinstance(made, FieldInfo) else made
    if made is MISSING or made is PydanticUndefined:
        return "needed"
    if isinstance(made, tuple):
        return f"[{', '.join(made)}]"
    if isinstance(made, bool) or made in (None, ""):
        return {None: "null", "": "none", True: "true", False: "false"}[made]
    return "" if is_dataclass(made) else f"{made:g}" if isinstance(made, float) else str(made)


def meaning(hint: Any) -> str:
    extras = typing.get_args(hint)[1:] if typing.get_origin(hint) is Annotated else ()
    return next((extra.description for extra in extras if isinstance(extra, FieldInfo) and extra.description), "")


def table() -> str:
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows())


def filled(page: str) -> str:
    """The page with the present table in its place."""
    return BLOCK.sub(lambda found: found[1] + table() + found[3], page)


def main() -> None:
    PAGE.write_text(filled(PAGE.read_text()))
    print(f"wrote the keys into {PAGE}")


if __name__ == "__main__":
    main()

"""Recipes read from YAML, the whole or what one stage reads, with one line that says what is wrong with which key."""

import difflib
import reprlib
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

SEE = "see recipes/demo.yaml"
KINDS = {
    "int_type": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping of names to values",
    "dataclass_type": "a section with keys of its own",
}
RULES = {
    "greater_than_equal": "{} is below {ge:g}",
    "less_than_equal": "{} is above {le:g}",
    "multiple_of": "{} must be a multiple of {multiple_of:g}",
}
T = TypeVar("T")


class RecipeError(ValueError):
    """A recipe that cannot be followed; the message names the file, the key and what to do."""


def read(path: Path | str, kind: type[T]) -> T:
    """A recipe, or what a stage reads of it. Raises `RecipeError` with one line that names the file and the key."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    try:
        _check_once(text)
        return parse(content, kind)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def _check_once(text: str) -> None:
    """Raises `RecipeError` for a key that stands twice in a section: YAML's reader would take the last one in silence,
    and DVC refuses the file without the key's name.
    """

    looked_at = set()

    def look(node: yaml.Node, where: str) -> None:
        if id(node) in looked_at:  # an alias, which may be one of a section that it stands in
            return
        looked_at.add(id(node))
        seen: dict[str, int] = {}
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            name, line = f"{where}{key.value}", key.start_mark.line + 1
            if name in seen:
                raise RecipeError(f"{name}: stands twice, in lines {seen[name]} and {line}; keep one")
            seen[name] = line
            look(value, f"{name}.")

    look(yaml.compose(text, yaml.SafeLoader), "")


def parse(content: object, kind: type[T]) -> T:
    """The same from plain mappings and lists. Raises `RecipeError`."""
    if not isinstance(content, Mapping):
        raise RecipeError(f"a recipe is a mapping of sections; {SEE}")
    shared = content.get("distillation") or {}
    if not isinstance(shared, Mapping):
        raise RecipeError("distillation: expected a section with keys of its own")
    learning = [name for name in _keys(kind, []) if "fine_tune" in _keys(kind, [name])] if shared else []
    completed = {str(key): section for key, section in content.items()}
    completed |= {name: _with_shared(completed[name], shared) for name in learning if name in completed}
    try:
        return TypeAdapter(kind).validate_python(completed)
    except ValidationError as error:
        raise RecipeError(_told(min(error.errors(include_url=False), key=_rank), kind)) from error


def _with_shared(section: object, shared: Mapping[str, Any]) -> object:
    """A section whose `fine_tune`, given or not, is completed by what all distillations share."""
    if isinstance(section, Mapping) and isinstance(section.get("fine_tune", {}), Mapping):
        return {**section, "fine_tune": {**shared, **section.get("fine_tune", {})}}
    return section


def _rank(error: ErrorDetails) -> int:
    """A misspelled key comes before what is missing for it, a shared value before the stages that share it."""
    if error["type"] == "unexpected_keyword_argument":
        return 0
    return 1 if error["loc"][:1] == ("distillation",) else 2


def _told(error: ErrorDetails, kind: type) -> str:
    """Key, value and what would be right, in one line."""
    path = [str(name) for name in error["loc"] if not isinstance(name, int) and name != "[key]"]
    where, value, rule = ".".join(path), short(error["input"]), error["type"]
    if rule == "unexpected_keyword_argument":
        return f"{where}: unknown key; {_known(path[-1], _keys(kind, path[:-1]))}"
    if rule == "missing":
        return f"{where}: missing; {SEE}"
    if rule == "literal_error":
        return f"{where}: {value} is not one of {error['ctx']['expected'].replace(' or ', ', ')}"
    if rule in KINDS:
        return f"{where}: expected {KINDS[rule]}, found {value}"
    if rule in RULES:
        return f"{where}: {RULES[rule].format(value, **error['ctx'])}"
    return f"{where}: {' '.join(error['msg'].removeprefix('Value error, ').split())}"


def _known(key: str, keys: list[str]) -> str:
    near = difflib.get_close_matches(key, keys, 1)
    return (f"did you mean {near[0]}? " if near else "") + f"known here: {', '.join(keys)}"


def _keys(kind: type, path: list[str]) -> list[str]:
    """The keys of the section that `path` leads to."""
    for name in path:
        named = typing.get_origin(kind) is dict  # a section for each name
        kind = typing.get_args(kind)[1] if named else typing.get_type_hints(kind)[name]
    return [item.name for item in fields(kind)] if is_dataclass(kind) else []


def short(value: object) -> str:
    """As much of a value as a person wants to read: aliases make a short YAML file an endless text."""
    shortened = reprlib.Repr()
    shortened.maxlevel, shortened.maxstring, shortened.maxother = 2, 200, 200
    return shortened.repr(value)

"""Every text has its two languages: keys, properties of components, and lines from the parts below the page."""

import ast
import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from string import Formatter

import pytest

pytest.importorskip("gradio", reason="the studio needs Gradio: pip install '.[studio]'")


from anime_app.panel.store import CRITERIA
from anime_app.studio import engineer_texts, judge_texts, texts
from anime_app.studio.orders import STROKES
from anime_app.studio.translation import DOMAIN, LANGUAGE, LOCALE, catalogue, translated
from anime_model.pictures.message import ABOUT, HINTED, LISTED, Message, about, from_record, listed, to_record
from anime_model.runtime.models import SIZES, styles
from anime_model.runtime.palettes import PALETTES

ROOT = Path(__file__).parents[2]
TABLES = {"page": texts.TEXTS, "engineers": engineer_texts.TEXTS, "raters": judge_texts.TEXTS}
SOURCES = sorted((ROOT / "anime_app" / "studio").glob("*.py"))
SAYS = {"label", "page_label", "both", "text_html", "say", "empty", "_head", "_t"}
# Whatever these raise or note may be read on the page.
BELOW = (
    "anime_app/panel/store.py", "anime_app/panel/ranking.py", "anime_app/studio/versions.py",
    "anime_app/studio/promotion.py", "anime_app/studio/judge_admin.py", "anime_model/runtime/models.py",
    "anime_model/runtime/stylizer.py", "flows/registry/champion.py", "flows/promote.py",
)  # fmt: skip
MADE_OF = re.compile(r"StoreError|UnknownKeyError|ModelError|PromotionError|ValueError|Verdict|append|Ranking")
ROOMS = ("anime_app", "anime_model", "flows")
NEVER_SEEN = ("expected a uint8 picture",)  # a mistake of a program, not of a person


def test_every_text_is_there_in_both_languages_with_the_same_gaps():
    for table in TABLES.values():
        for key, pair in table.items():
            assert len(pair) == 2, key
            assert all(pair), key
            assert gaps(pair[0]) == gaps(pair[1]), key
    names = [key for table in TABLES.values() for key in table]
    assert len(names) == len(set(names)), "Gradio gets all tables as one"


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def literals() -> set[str]:
    """Every word in the studio's sources that may be a key; of one that is put together, the part before the gap."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and not path.name.endswith("texts.py"):
                found.add(node.value)
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                found.add(node.values[0].value + "*")
    for path in SOURCES[0].parent.glob("*.js"):
        found |= {key for pair in re.findall(r'"(\w+)"|texts\.(\w+)', path.read_text()) for key in pair}
    return found


def test_every_key_that_is_asked_for_is_there():
    known = {key for table in TABLES.values() for key in table}
    asked = [(place, key) for path in SOURCES if path.name != "launch.py" for place, key in asked_for(path)]
    assert len(asked) > 100
    assert [(place, key) for place, key in asked if key not in known] == []


def asked_for(path: Path) -> Iterator[tuple[str, str]]:
    """The keys in calls of the functions that look one up, where they stand as such."""
    for node in ast.walk(ast.parse(path.read_text())):
        name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else None
        if name in SAYS and node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value:
            yield f"{path.name}:{node.lineno}", node.args[0].value


def test_no_text_is_left_over():
    used = literals()
    starts = tuple(word[:-1] for word in used if word.endswith("_*"))
    spare = [key for table in TABLES.values() for key in table if key not in used and not key.startswith(starts)]
    named = {
        *PALETTES,
        *styles(),
        "cute",
        *(f"{name}_note" for name in (*styles(), "cute")),
        *CRITERIA,
        *(f"lines_{name}" for name in STROKES),
        *(f"speed_{size}" for size in SIZES),
        *(f"{name}_hint" for name in CRITERIA),
    }
    assert [key for key in spare if "." not in key and key not in named] == [], "keys with a dot are Gradio's own"


CONFIG = """
import json, sys
from pathlib import Path
from anime_app.studio import launch
launch.prepare(Path(sys.argv[1]))
from anime_app.studio.app import page
from anime_app.studio.desk import desk_of
from anime_app.studio.settings import Studio
folder = Path(sys.argv[1])
studio = Studio(project=folder, token="secret", database=folder / "panel.db")
config = page(studio, desk_of(studio)).get_config_file()
print(json.dumps([(one["type"], one["props"]) for one in config["components"]], default=str))
"""


def written(kind: str, shown: dict) -> Iterator[tuple[str, str]]:
    """What a component shows of itself."""
    for name in ("label", "info", "placeholder"):
        if shown.get(name):
            yield name, shown[name]
    for name, _ in shown.get("choices") or ():
        yield "choice", name
    if kind in ("button", "downloadbutton", "uploadbutton") and isinstance(shown.get("value"), str) and shown["value"]:
        yield "value", shown["value"]


def test_every_component_takes_its_words_from_the_tables(tmp_path):
    """In a process of its own: Gradio leaves loops and sockets behind."""
    ran = subprocess.run([sys.executable, "-c", CONFIG, str(tmp_path)], capture_output=True, text=True, check=True)
    found = [(kind, shown, *one) for kind, shown in json.loads(ran.stdout) for one in written(kind, shown)]
    assert len(found) > 30
    known = texts.translations(*TABLES.values()).translations_dict["zh-CN"]
    for kind, shown, name, value in found:
        key, place = re.search(r'"key": "(.+?)"', value), (kind, shown.get("elem_id"), name, value)
        if name == "choice" and not key:
            assert re.fullmatch(r"\d+ px|Shinkai|Hayao", value), place
        else:
            assert key, place
            assert key[1] in known, place


def lines_below() -> Iterator[tuple[str, ast.AST]]:
    """Where the parts below the page say something, and what."""
    for name in BELOW:
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if isinstance(node, ast.Call) and MADE_OF.fullmatch(called(node)):
                for value in (*node.args, *(keyword.value for keyword in node.keywords)):
                    yield f"{name}:{node.lineno}", value


def called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def test_every_line_from_below_is_known_in_chinese():
    found = [(place, node.value) for place, node in lines_below() if isinstance(node, ast.Constant)]
    lines = [(place, text) for place, text in found if isinstance(text, str) and " " in text]
    assert len(lines) > 15
    assert [(place, text) for place, text in lines if translated(text)[1] == text] == []


def test_lines_from_below_are_not_put_together_before_they_are_translated():
    made = [(place, ast.unparse(node)) for place, node in lines_below() if isinstance(node, ast.JoinedStr)]
    assert [(place, text) for place, text in made if " " in text and not text[2:].startswith(NEVER_SEEN)] == []


def texts_of(value: ast.AST, known: dict[str, list[ast.AST]]) -> Iterator[str]:
    """What an expression may be: a text, either of two, or what a name stands for."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    for one in (value.body, value.orelse) if isinstance(value, ast.IfExp) else known.get(getattr(value, "id", ""), ()):
        yield from texts_of(one, known)


def names_in(tree: ast.AST) -> dict[str, list[ast.AST]]:
    found: dict[str, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return found


@cache
def trees() -> dict[Path, ast.AST]:
    return {path: ast.parse(path.read_text()) for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))}


@cache
def templates() -> list[tuple[str, list[str]]]:
    """Where a message is made, and its template, or either of two."""
    found = []
    shared = [pair for tree in trees().values() for pair in names_in(tree).items() if pair[0].isupper()]
    constants = {name: [one for key, values in shared if key == name for one in values] for name, _ in shared}
    for path, tree in trees().items():
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            known = constants | names_in(function)
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and called(node) == "Message" and path.name != "message.py":
                    place = f"{path.relative_to(ROOT)}:{node.lineno}"
                    found.append((place, list(texts_of(node.args[0], known))))
    return found


def test_every_message_is_known_in_chinese():
    made = templates()
    assert len(made) > 50
    assert [place for place, found in made if not found] == [], "no template can be read there"
    assert [(place, text) for place, found in made for text in found if catalogue().gettext(text) == text] == []


def test_the_catalogue_knows_nothing_that_nobody_says():
    said = {text for _, found in templates() for text in found} | {ABOUT, HINTED, LISTED}
    said |= {os.strerror(number).lower() for number in (errno.ENOENT, errno.ENOSPC)}
    for tree in trees().values():
        said |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert [entry.id for entry in po_file() if entry.id and entry.id not in said] == []


def test_the_catalogue_is_what_translators_have_written():
    """`make messages` was run after the last edit."""
    written = {entry.id: entry.string for entry in po_file() if entry.id}
    assert all(written.values())
    assert {key: text for key, text in catalogue()._catalog.items() if key} == written


def test_chinese_has_no_gap_that_english_has_not():
    for entry in po_file():
        assert gaps(entry.string) <= gaps(entry.id), entry.id


def po_file() -> Iterable:
    read_po = pytest.importorskip("babel.messages.pofile", reason="pip install babel").read_po
    with (LOCALE / LANGUAGE / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        return list(read_po(file))


FAILED = "{gate} failed: {figure}, at most {bound}"


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        (about("a.jpg", Message("damaged picture ({first})", first="x")), "a.jpg：图片已损坏"),
        (
            listed(
                [Message(FAILED, gate="lpips", figure=0.1, bound=0.06), Message(FAILED, gate="fid", figure=3, bound=2)]
            ),
            "lpips 未通过：0.1，上限为 0.06；fid 未通过：3，上限为 2",
        ),
        (
            about("error", Message("{model} has no champion: nothing to roll back", model="animegan-cel")),
            "错误：animegan-cel 没有冠军版本，无法回滚",
        ),
        (
            about(Message("{style} · trial {name}", style="cel", name="gone"), "its model file is no longer there"),
            "cel · 试验 gone：模型文件已不存在",
        ),
        (
            Message("no network {name!r}: there is {choices}", name="stopped", choices="error"),
            "没有画风 'stopped'：可用 error",
        ),
        (listed(["too slow", "stopped"]), "too slow；已停止"),
    ],
)
def test_messages_are_known_with_what_stands_before_them_and_one_after_the_other(text, chinese):
    assert translated(text) == (str(text), chinese)
    assert translated(from_record(json.loads(json.dumps(to_record(text)))))[1] == chinese


@pytest.mark.parametrize(
    "text", ["too slow; and too large", about("a.jpg", "too slow"), listed(["too slow", "late"]), ""]
)
def test_what_nobody_knows_stays_as_it_is(text):
    assert translated(text) == (text, text)


def test_no_value_can_be_taken_for_a_key():
    """Gradio's page translates values as well: a style may have any name."""
    keys = texts.translations(*TABLES.values()).translations_dict["en"]
    assert [key for key in keys if "." not in key] == []

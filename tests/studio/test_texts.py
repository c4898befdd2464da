"""Every text has its two languages: keys, properties of components, and lines from the parts below the page."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

pytest.importorskip("gradio", reason="the studio needs Gradio: pip install '.[studio]'")

from anime_app.panel.store import CRITERIA
from anime_app.studio import engineer_texts, judge_texts, texts
from anime_app.studio.orders import STROKES
from anime_app.studio.phrases import CHINESE, spoken
from anime_model.runtime.models import styles
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
        *(f"{name}_hint" for name in CRITERIA),
    }
    assert [key for key in spare if "." not in key and key not in named] == [], "keys with a dot are Gradio's own"


CONFIG = """
import json, sys
from pathlib import Path
from anime_app.studio import launch
launch.prepare(Path(sys.argv[1]))
from anime_app.studio.app import page
from anime_app.studio.settings import Studio
folder = Path(sys.argv[1])
config = page(Studio(project=folder, token="secret", database=folder / "panel.db")).get_config_file()
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


def lines_below() -> Iterator[tuple[str, str]]:
    """Where the parts below the page say something, and an example of it."""
    for name in BELOW:
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if isinstance(node, ast.Call) and MADE_OF.fullmatch(
                getattr(node.func, "attr", getattr(node.func, "id", ""))
            ):
                for value in (*node.args, *(keyword.value for keyword in node.keywords)):
                    text = example(value)
                    if text and " " in text and not text.startswith(NEVER_SEEN):
                        yield f"{name}:{node.lineno}", text


def example(node: ast.AST) -> str | None:
    """The text with a 3 in each of its gaps."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "3" for part in node.values)
    return None


def test_every_line_from_below_is_known_in_chinese():
    found = list(lines_below())
    assert len(found) > 35
    assert [(place, text) for place, text in found if spoken(text)[1] == text] == []


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("a.jpg: damaged picture (x)", "a.jpg：图片已损坏"),
        (
            "lpips failed: 0.1, at most 0.06; fid failed: 3, at most 2",
            "lpips 未通过：0.1，上限为 0.06；fid 未通过：3，上限为 2",
        ),
        ("error: animegan-cel has no champion: nothing to roll back", "错误：animegan-cel 没有冠军版本，无法回滚"),
        ("cel · trial gone: its model file is no longer there", "cel · 试验 gone：模型文件已不存在"),
        ("too slow; and too large", "too slow; and too large"),
    ],
)
def test_lines_are_known_with_what_stands_before_them_and_one_after_the_other(english, chinese):
    assert spoken(english) == (english, chinese)


def test_every_phrase_has_the_gaps_that_its_pattern_fills():
    for pattern, chinese in CHINESE.items():
        most = max(map(int, re.findall(r"\\(\d)", chinese)), default=0)
        assert most <= re.compile(pattern).groups, pattern


def test_no_value_can_be_taken_for_a_key():
    """Gradio's page translates values as well: a style may have any name."""
    keys = texts.translations(*TABLES.values()).translations_dict["en"]
    assert [key for key in keys if "." not in key] == []

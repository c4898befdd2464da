"""What the parts below the page say in English, in Chinese too: they know nothing of readers and languages.

A text is looked up in gettext's catalogue, a `Message` by its template, and its values after it. What MLflow, ONNX
Runtime or the operating system say in their own words stays in their words. `locale/` holds the catalogue: translators
edit the .po file, and `make messages` writes the .mo file that is read here.
"""

import gettext
import re
from functools import cache
from pathlib import Path

from anime_model.pictures.message import ABOUT, Message

LOCALE = Path(__file__).parent / "locale"
LANGUAGE, DOMAIN = "zh_CN", "messages"
TEXTS = ("subject", "what", "first", "rest", "reason")  # gaps for texts; other values are names, whatever they say
GAPS = re.compile(r"\{\w*(![rsa])?\}")


def translated(text: str) -> tuple[str, str]:
    """A line from below in English and Chinese; twice the same where it is not known."""
    return str(text), _chinese(text) or str(text)


@cache
def catalogue() -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, LOCALE, [LANGUAGE])


def _chinese(text: object) -> str | None:
    """None where the catalogue knows nothing of it."""
    template = text.template if isinstance(text, Message) else text
    found = catalogue().gettext(template) if template else template
    if not isinstance(text, Message):
        return found if found != text else None
    said = {name: _chinese(value) for name, value in text.values.items() if isinstance(value, Message) or name in TEXTS}
    known = {name: value for name, value in said.items() if value is not None}
    decides = known.get("what") if text.template == ABOUT else known
    if found == template or (_only_joins(template) and not decides):
        return None
    return found.format(**{**text.values, **known})


def _only_joins(template: str) -> bool:
    """Whether it has no words of its own."""
    return not re.search(r"\w", GAPS.sub("", template))

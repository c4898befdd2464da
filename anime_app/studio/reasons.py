"""Why a picture was not made, in words for its reader."""

import re

from anime_app.studio.translation import translated
from anime_model.pictures.message import ABOUT, HINTED, Message, message_of, with_values

FOLDERS = re.compile(r"(^|[\s'(])(/[^\s:]*/)([^/\s:]*)")
OURS = re.compile(r"photo(\.\w+)?|frame\.png")  # the workshop's names of a person's files


def reason(name: str, error: Exception) -> tuple[str, str]:
    """One line in English and Chinese, without the folders of this machine; `name` is the person's own of the photo."""
    if isinstance(error, OSError) and error.strerror:
        return translated(error.strerror.lower())
    if isinstance(error, MemoryError):
        return translated("not enough memory")
    said = with_values(message_of(error), lambda value: FOLDERS.sub(r"\1\3", value))
    return translated(_without_name(name, said))


def _without_name(name: str, said: str) -> str:
    """What is wrong, without the photo's name before it, which the page shows already, and hints for terminals."""
    while isinstance(said, Message) and said.template in (ABOUT, HINTED):
        if said.template == ABOUT and not (said.values["subject"] == name or OURS.fullmatch(said.values["subject"])):
            break
        said = said.values["what"]
    return said if isinstance(said, Message) else said.removeprefix(f"{name}: ")

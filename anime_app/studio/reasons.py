"""Why a picture was not made, in words for its reader."""

import re

from anime_app.studio.phrases import spoken


def reason(name: str, error: Exception) -> tuple[str, str]:
    """One line in English and Chinese, without the folders of this machine; `name` is the person's own of the photo."""
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror.lower()
    elif isinstance(error, MemoryError):
        text = "not enough memory"
    else:
        text = re.sub(r" \(--max-pixels raises it\)$", "", str(error))
        text = re.sub(r"(^|[\s'(])(/[^\s:]*/)([^/\s:]*)", r"\1\3", text)
        text = text.removeprefix(f"{name}: ") if name else text
        text = re.sub(r"^(photo(\.\w+)?|frame\.png): ", "", text)
    return spoken(text)

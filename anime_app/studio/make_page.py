"""The HTML of the view Make. Texts stand in it in both languages; `make.js` fills it."""

from anime_app.studio.orders import NO_PALETTE, SIZES, STROKES
from anime_app.studio.texts import TEXTS, both
from anime_app.studio.theme import chip
from anime_model.runtime.models import SIZE, favourite, styles
from anime_model.runtime.models import SIZES as NETWORK_SIZES
from anime_model.runtime.palettes import PALETTES

PETALS = "".join(
    f'<path transform="rotate({72 * turn} 32 32)" d="M32 31c-8-6-10-17-5-25l5 4 5-4c5 8 3 19-5 25z"/>'
    for turn in range(5)
)
FLOWER = f'<svg class="blossom" viewBox="0 0 64 64" aria-hidden="true">{PETALS}<circle cx="32" cy="32" r="4"/></svg>'
ARROWS = '<svg viewBox="0 0 24 24"><path d="m9 6-6 6 6 6M15 6l6 6-6 6"/></svg>'


def make_page() -> str:
    """The stage with the picture first, then the panel with the choices: in this order on a phone too."""
    return (
        f'<div class="make"><section class="stage" aria-labelledby="stage-name" tabindex="-1">'
        f'<h2 id="stage-name" class="sr">{both("picture")}</h2>{_drop()}{_compare()}{_tools()}{_lines()}{_album()}'
        f"</section>{_panel()}</div>{_camera()}"
        '<input type="file" id="files" data-own multiple hidden tabindex="-1" aria-hidden="true">'
        '<input type="file" id="folder" data-own webkitdirectory multiple hidden tabindex="-1" aria-hidden="true">'
    )


def _button(action: str, key: str, kind: str = "quiet", more: str = "") -> str:
    return f'<button type="button" class="{kind}" data-do="{action}" {more}>{both(key)}</button>'


def _drop() -> str:
    sources = ("folder", "choose_folder"), ("paste", "paste"), ("camera", "camera"), ("sample", "sample")
    buttons = _button("choose", "choose", "main") + "".join(_button(*pair) for pair in sources)
    return (
        f'<div class="drop">{FLOWER}<p class="drop-title"><span class="of-mouse">{both("empty_title")}</span>'
        f'<span class="of-finger">{both("empty_title_finger")}</span></p>'
        f'<p class="drop-note">{both("empty_text")}</p><div class="sources">{buttons}</div></div>'
        f'<p class="over" aria-hidden="true">{FLOWER}{both("drop_now")}</p>'
    )


def _compare() -> str:
    return (
        f'<div class="waiting" hidden>{FLOWER}<img alt="" hidden></div>'
        '<div class="compare" hidden><div class="half after"><img alt="" draggable="false"></div>'
        '<div class="half before"><img alt="" draggable="false"></div>'
        f'<span class="tag tag-before" aria-hidden="true">{both("before")}</span>'
        f'<span class="tag tag-after" aria-hidden="true">{both("after")}</span>'
        f'<span id="split-name" class="sr">{both("split")}</span>'
        '<input class="split" type="range" min="0" max="100" value="50" step="1" aria-labelledby="split-name">'
        f'<span class="handle" aria-hidden="true">{ARROWS}</span></div>'
        '<video class="film" controls playsinline loop hidden></video>'
        f'<div class="busy" hidden><i></i><span class="how" role="status"></span>{_button("stop", "stop")}</div>'
    )


def _tools() -> str:
    signs = (("in", "zoom_in", "+"), ("out", "zoom_out", "−"))
    zoom = "".join(
        f'<button type="button" class="round" data-do="zoom-{name}"><span class="sr">{both(key)}</span>'
        f'<span aria-hidden="true">{sign}</span></button>'
        for name, key, sign in signs
    )
    zoom += _button("zoom-whole", "zoom_whole", "round") + _button("full-screen", "zoom_full", "round")
    return f'<div class="tools" hidden><p class="note" role="status"></p>{zoom}</div>'


def _lines() -> str:
    """What went wrong stays until a person takes it away."""
    return '<div class="messages" aria-live="polite"></div>'


def _album() -> str:
    buttons = _button("choose", "add") + _button("camera", "camera") + _button("remove-all", "remove_all")
    buttons += _button("go-on", "go_on", "main", "hidden")
    return (
        f'<div class="album" hidden><h3 class="sr">{both("album")}</h3><ul class="tiles"></ul>'
        f'<div class="sources">{buttons}</div></div>'
    )


def _panel() -> str:
    return (
        f'<form class="panel" autocomplete="off"><fieldset><legend>{both("style")}</legend>'
        f'<div class="styles">{_styles()}</div>{_speeds()}</fieldset><fieldset><legend>{both("palette")}</legend>'
        f'<div class="palettes">{_palettes()}</div></fieldset>'
        f'<div class="field"><label for="strength">{both("strength")}</label><output for="strength">100 %</output>'
        '<input id="strength" name="strength" type="range" min="0" max="100" value="100" step="5"></div>'
        f'<label class="tick"><input name="keep" type="checkbox">{both("keep")}</label>'
        f"{_select('lines', {name: _words(f'lines_{name}') for name in STROKES})}"
        f"{_select('size', {str(size): _size(size) for size in SIZES})}{_actions()}</form>"
    )


def _actions() -> str:
    """Before there is a picture they can be seen, and not pressed."""
    main = f'<span class="of-photo">{both("download")}</span><span class="of-film">{both("film")}</span>'
    buttons = f'<button type="button" class="main" data-do="full" disabled>{main}</button>'
    buttons += "".join(_button(name, name, more="disabled") for name in ("pair", "gif"))
    buttons += _button("zip", "zip", more="hidden")
    return f'<div class="actions">{buttons}</div><p class="small"><a href="api">{both("api")}</a></p>'


def _styles() -> str:
    shipped = list(styles())
    chosen = favourite(shipped)
    return "".join(
        f'<label><input type="radio" name="network" value="{name}"{" checked" if name == chosen else ""}>'
        f'<span class="chip-view" data-style="{name}"></span><span class="chip-name">{_named(name)}'
        f"<small>{both(f'{name}_note') if f'{name}_note' in TEXTS else ''}</small></span></label>"
        for name in shipped
    )


def _speeds() -> str:
    """The sizes of a network in plain words; the script offers those that the style that is chosen has."""
    return _select("speed", {size: _words(f"speed_{size}") for size in NETWORK_SIZES}, SIZE, "speed_or_detail")


def _palettes() -> str:
    return "".join(
        f'<label><input type="radio" name="palette" value="{name}"{" checked" if name == NO_PALETTE else ""}>'
        f'<span class="chip-view" data-palette="{name}" style="background:{chip(palette)}"></span>'
        f'<span class="chip-name">{_named(name)}</span></label>'
        for name, palette in ((NO_PALETTE, None), *((name, name) for name in PALETTES))
    )


def _named(name: str) -> str:
    return both(name) if name in TEXTS else name.title()


def _words(key: str) -> tuple[str, str]:
    return TEXTS[key]


def _size(size: int) -> tuple[str, str]:
    if not size:
        return TEXTS["size_full"]
    return tuple(text.format(size=size) for text in TEXTS["size_most"])


def _select(name: str, choices: dict[str, tuple[str, str]], chosen: str = "", key: str = "") -> str:
    """An option holds text alone, in one language: the script writes it."""
    options = "".join(
        f'<option value="{value}" data-en="{english}" data-zh="{chinese}"{" selected" * (value == chosen)}>{english}'
        "</option>"
        for value, (english, chinese) in choices.items()
    )
    return (
        f'<div class="field pair"><label for="{name}">{both(key or name)}</label>'
        f'<select id="{name}" name="{name}">{options}</select></div>'
    )


def _camera() -> str:
    buttons = _button("shoot", "shoot", "main") + _button("turn", "turn") + _button("leave", "cancel")
    return (
        f'<dialog class="viewfinder" aria-labelledby="viewfinder-name"><h2 id="viewfinder-name">{both("camera")}</h2>'
        f'<video playsinline muted></video><p class="message" role="alert" hidden></p>'
        f'<div class="sources">{buttons}</div></dialog>'
    )

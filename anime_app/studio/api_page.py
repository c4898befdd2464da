"""The page on use by programs: what stands behind it is the event `make` in Gradio's queue."""

from anime_app.studio.orders import SIZES as SIDES
from anime_app.studio.orders import STROKES
from anime_app.studio.texts import both
from anime_model.runtime.models import SIZES, styles
from anime_model.runtime.palettes import PALETTES

STYLE = """
body { margin: 0; font: 16px/1.6 system-ui, "Noto Sans CJK SC", sans-serif; color: #43283a; background: #fff7fa; }
main { max-width: 820px; margin: 0 auto; padding: 32px 20px 60px; }
h1 { margin: 0 0 6px; font-size: 1.8rem; letter-spacing: -.02em; } a { color: #a62354; }
pre { padding: 16px 20px; border: 1px solid #f6d3e0; border-radius: 16px; background: #fff; overflow-x: auto;
  font-size: .9rem; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 8px 10px 8px 0; border-bottom: 1px solid #f6d3e0; text-align: left; vertical-align: top; }
html[data-language="en"] span[lang="zh"], html[data-language="zh"] span[lang="en"] { display: none; }
@media (prefers-color-scheme: dark) {
  body { color: #fbe9f1; background: #1d151b; } pre { background: #2a1f28; border-color: #4d3543; }
  a { color: #ffabc8; } th, td { border-color: #4d3543; }
}
"""
LANGUAGE = """
const kept = document.cookie.match(/(?:^|; )studio_language=(en|zh)/);
const root = document.documentElement;
root.dataset.language = kept ? kept[1] : navigator.language.startsWith("zh") ? "zh" : "en";
root.lang = root.dataset.language;
"""


def api_page(address: str) -> str:
    """HTML; `address` is that of the studio, escaped."""
    example = (
        "from gradio_client import Client, handle_file\n\n"
        f'studio = Client("{address}")\n'
        "picture = studio.predict(\n"
        '    handle_file("photo.jpg"),\n'
        f'    style="{next(iter(styles()), "")}",\n    palette="none",\n    strength=1,\n    keep_colour=False,\n'
        '    lines="bold",\n    longest_side=0,\n    speed="lite",\n    api_name="/make",\n)\nprint(picture)'
    )
    rows = (
        ("style", ", ".join(styles()), "api_style"),
        ("palette", ", ".join(("none", *PALETTES)), "api_palette"),
        ("strength", "0 – 1", "api_strength"),
        ("keep_colour", "True, False", "api_keep"),
        ("lines", ", ".join(STROKES), "api_lines"),
        ("speed", ", ".join(SIZES), "api_speed"),
        ("longest_side", ", ".join(map(str, SIDES)), "api_size"),
    )
    table = "".join(f"<tr><th scope='row'><code>{name}</code></th><td>{values}</td><td>{both(key)}</td></tr>"
                    for name, values, key in rows)  # fmt: skip
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width, initial-scale=1"><title>AnimeGAN-Lite: API</title>'
        f"<script>{LANGUAGE}</script><style>{STYLE}</style></head><body><main>"
        f"<p><a href='./'>{both('api_back')}</a></p>"
        f"<h1>{both('api_title')}</h1><p>{both('api_about')}</p><pre tabindex='0'><code>{example}</code></pre>"
        f"<table><tbody>{table}</tbody></table><p>{both('api_queue')}</p></main></body></html>"
    )

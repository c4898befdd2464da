"""How the page looks: Gradio's variables in pink and white, the style sheet, and the colours of every look's chip."""

from pathlib import Path

import numpy as np
from gradio.themes import Base
from gradio.themes.utils import colors, sizes

from anime_model.runtime.palettes import grade

HERE = Path(__file__).parent
FONTS = ["ui-rounded", "-apple-system", "Segoe UI", "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", "system-ui"]
# from light to dark: greys with a breath of pink, and the pink
PLUM = "#fdf8fa #f8eff3 #eedfe6 #dcc7d1 #ad93a0 #806675 #655060 #4a3845 #2f222b #231820 #1a1118"
PINK = "#fff1f6 #ffe2ec #ffc9da #ffa3c0 #fb75a0 #ee4d84 #d62f6b #b32157 #901c49 #751a3f #420a22"
# sky, leaf, skin, lamp, shade: what a look does to them is what its chip shows
SCENE = ((122, 178, 226), (112, 164, 92), (236, 196, 172), (250, 226, 150), (58, 60, 88))


def theme() -> Base:
    """System fonts only: nothing is loaded from elsewhere."""
    made = Base(
        primary_hue=colors.Color(*PINK.split()),
        secondary_hue=colors.Color(*PINK.split()),
        neutral_hue=colors.Color(*PLUM.split()),
        radius_size=sizes.radius_lg,
        text_size=sizes.text_md,
        font=FONTS,
        font_mono=["ui-monospace", "Consolas", "monospace"],
    )
    return made.set(
        body_background_fill="#fff7fa",
        body_background_fill_dark="#1a1118",
        body_text_color="*neutral_800",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*primary_50",
        background_fill_secondary_dark="*neutral_800",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_border_color="#f6dde7",
        block_border_color_dark="#3b2b36",
        block_radius="18px",
        block_shadow="0 1px 2px rgb(117 26 63 / 0.04), 0 8px 24px rgb(117 26 63 / 0.05)",
        block_shadow_dark="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="*primary_700",
        block_label_text_color_dark="*primary_300",
        block_label_text_weight="600",
        block_title_text_color="*primary_700",
        block_title_text_color_dark="*primary_300",
        block_title_text_weight="600",
        border_color_primary="#f3d8e2",
        border_color_primary_dark="#3b2b36",
        button_primary_background_fill="#c7336b",
        button_primary_background_fill_dark="#ff8fb5",
        button_primary_background_fill_hover="#a62354",
        button_primary_background_fill_hover_dark="#ffabc8",
        button_primary_text_color="white",
        button_primary_text_color_dark="#35101f",
        button_primary_shadow="none",
        button_primary_shadow_hover="none",
        button_secondary_background_fill="#ffe2ec",
        button_secondary_background_fill_dark="#3a2833",
        button_secondary_background_fill_hover="#ffc9da",
        button_secondary_background_fill_hover_dark="#4d3543",
        button_secondary_text_color="#43283a",
        button_secondary_text_color_dark="#fbe9f1",
        button_secondary_border_color="#f6d3e0",
        button_secondary_border_color_dark="#4d3543",
        button_secondary_shadow="none",
        button_secondary_shadow_hover="none",
        button_large_radius="99px",
        button_medium_radius="99px",
        button_large_text_size="1rem",
        button_large_text_weight="750",
        input_background_fill="*primary_50",
        input_background_fill_dark="*neutral_800",
        input_border_color="#f3d8e2",
        input_border_color_dark="#4a3845",
        slider_color="*primary_500",
        checkbox_background_color="white",
        checkbox_background_color_dark="*neutral_800",
        checkbox_label_background_fill="*primary_50",
        checkbox_label_background_fill_dark="*neutral_800",
        loader_color="*primary_500",
    )


def style_sheet() -> str:
    """The page's own rules."""
    return "".join(file.read_text(encoding="utf-8") for file in sorted(HERE.glob("*.css")))


def chip(palette: str | None) -> str:
    """A small scene after grading, as a gradient with hard edges."""
    scene = np.array([SCENE], np.uint8)
    graded = scene if palette is None else np.rint(grade(scene, palette)).clip(0, 255).astype(np.uint8)
    share = 100 / len(SCENE)
    steps = [f"rgb({r} {g} {b}) {i * share:g}% {(i + 1) * share:g}%" for i, (r, g, b) in enumerate(graded[0].tolist())]
    return f"linear-gradient(100deg, {', '.join(steps)})"

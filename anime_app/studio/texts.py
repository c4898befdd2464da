"""What the page says, in English and Chinese.

Two ways to the reader's language, which `head.html` puts on `<html>`: properties of components take `label(key)`,
which Gradio's page looks up; HTML, also what the server makes, holds both (`both(key)`) and the style sheet shows one.
"""

from html import escape

from gradio.i18n import I18n, I18nData

Table = dict[str, tuple[str, str]]

TEXTS: Table = {
    "tagline": ("Your photos, drawn. On this computer, and nowhere else.", "把照片画成动漫，全程只在这台电脑上。"),
    "language": ("中文", "English"),
    "dark": ("Light or dark", "浅色或深色"),
    "make": ("Make", "制作"),
    "compare": ("Compare", "对比"),
    "judge": ("Judge", "评审"),
    "photos": ("Photos", "照片"),
    "upload_text.drop_gallery": ("Drop photos here", "把照片拖到这里"),  # Gradio's own words, which speak of media
    "upload_text.drop_file": ("Drop photos here", "把照片拖到这里"),
    "upload_text.click_to_upload": ("Click to choose", "点击选择"),
    "common.or": ("or", "或"),
    "preset": ("Look", "风格"),
    "strength": ("Strength", "强度"),
    "strength_hint": ("0: the photo, 1: the drawing", "0 为原照片，1 为完整画作"),
    "more": ("More choices", "更多选项"),
    "network": ("Drawn by", "绘制模型"),
    "network_hint": ("The network that draws; looks are its colours", "负责绘画的网络；风格只调整颜色"),
    "keep": ("Keep the photo's colours", "保留照片的颜色"),
    "size": ("Longest side", "最长边"),
    "size_full": ("Full size", "原尺寸"),
    "draw": ("Draw", "开始绘制"),
    "stop": ("Stop", "停止"),
    "result": ("Before and after", "前后对比"),
    "album": ("Album", "相册"),
    "download": ("Download in full size", "下载原尺寸图片"),
    "zip": ("All as a zip", "全部打包下载"),
    "empty_title": ("Drop a photo to begin", "放入一张照片即可开始"),
    "empty_text": (
        "Several at once are fine. Or take one with the camera.",
        "可以一次放入多张，也可以用摄像头拍摄。",
    ),
    "working": ("Drawing {done} of {total}", "正在绘制第 {done} 张，共 {total} 张"),
    "done_one": ("Done: {name}", "完成：{name}"),
    "done": ("Done: {count} pictures", "完成：{count} 张图片"),
    "stopped": ("Stopped. What is drawn is kept.", "已停止，画好的图片仍然保留。"),
    "too_many": (
        "{count} photos are more than one request takes: the first {most} are drawn.",
        "一次最多 {most} 张，共放入 {count} 张：只绘制前 {most} 张。",
    ),
    "expired": ("These pictures have been cleared away. Press Draw again.", "这些图片已被清理，请重新绘制。"),
    "busy": (
        "The studio is busy: too many pictures are waiting. Try again in a moment.",
        "当前排队的图片太多，请稍后再试。",
    ),
    "too_large": ("{name}: too large, at most {most} MB for one file.", "{name}：文件过大，单个文件上限为 {most} MB。"),
    "failed": ("{name}: {reason}", "{name}：{reason}"),
    "plain": ("Plain", "原画"),
    "hayao": ("Hayao", "宫崎"),
    "shinkai": ("Shinkai", "新海"),
    "paprika": ("Paprika", "红辣椒"),
    "hosoda": ("Hosoda", "细田"),
    "sakura": ("Sakura", "樱花"),
    "dusk": ("Dusk", "黄昏"),
    "retro": ("Retro", "复古"),
    "noir": ("Noir", "黑白"),
}
# What Gradio's page writes once; where the language changes head.html writes it anew.
WRITTEN_ONCE = ("make", "compare", "judge", "upload_text.drop_gallery", "upload_text.click_to_upload", "common.or")


OWN = "studio."  # before our keys: Gradio also translates values, and a look or a style may be named like a key


def translations(*tables: Table) -> I18n:
    """The tables as Gradio wants them: one dictionary for each language. Keys with a dot are Gradio's own."""
    merged = {_key(key): pair for table in tables for key, pair in table.items()}
    english, chinese = ({key: pair[index] for key, pair in merged.items()} for index in (0, 1))
    return I18n(**{"en": english, "zh-CN": chinese, "zh-TW": chinese})


def label(key: str) -> I18nData:
    """A component's property that the page shows in the reader's language."""
    return I18nData(_key(key))


def _key(key: str) -> str:
    return key if "." in key else OWN + key


def both(key: str, table: Table = TEXTS, tag: str = "span", **values: object) -> str:
    """HTML with the text in both languages. `values` fill its gaps, escaped; a pair holds one for each language."""
    made = []
    for index, text in enumerate(table[key]):
        own = {name: value[index] if isinstance(value, tuple) else value for name, value in values.items()}
        made.append(text.format(**{name: escape(str(value)) for name, value in own.items()}))
    return in_both(*made, tag)


def in_both(english: str, chinese: str, tag: str = "span") -> str:
    """HTML of which the style sheet shows the reader's half; in an SVG `tag` is tspan."""
    return "".join(f'<{tag} lang="{lang}">{text}</{tag}>' for lang, text in (("en", english), ("zh", chinese)))

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
    "upload_text.drop_file": ("Drop photos here", "把照片拖到这里"),  # Gradio's own words, which speak of media
    "upload_text.click_to_upload": ("Click to choose", "点击选择"),
    "common.or": ("or", "或"),
    # Make: photos in
    "picture": ("Picture", "图片"),
    "empty_title": ("Drop photos here", "把照片拖到这里"),
    "empty_title_finger": ("Put a photo in", "放入照片"),
    "empty_text": (
        "Anywhere in the window, one or many, folders and short films too. Or paste with Ctrl+V.",
        "窗口任意位置均可，可放多张、文件夹或短片。也可以按 Ctrl+V 粘贴。",
    ),
    "choose": ("Choose photos", "选择照片"),
    "choose_folder": ("A folder", "选择文件夹"),
    "paste": ("Paste", "粘贴"),
    "camera": ("Camera", "摄像头"),
    "sample": ("Try a sample", "试试示例"),
    "add": ("Add photos", "添加照片"),
    "drop_now": ("Let go: they are drawn at once", "松开即可开始绘制"),
    "shoot": ("Take the picture", "拍照"),
    "turn": ("Other camera", "切换镜头"),
    "cancel": ("Cancel", "取消"),
    "remove": ("Remove {name}", "移除 {name}"),
    "remove_all": ("Remove all", "全部移除"),
    "album": ("Photos", "照片"),
    # Make: the picture
    "before": ("Photo", "照片"),
    "after": ("Anime", "动漫"),
    "split": (
        "Photo on the left, anime on the right: the place between them",
        "左边是照片，右边是动漫：分界线的位置",
    ),
    "zoom_in": ("Closer", "放大"),
    "zoom_out": ("Further", "缩小"),
    "zoom_whole": ("Whole", "全图"),
    "zoom_full": ("Full screen", "全屏"),
    "stop": ("Stop", "停止"),
    "go_on": ("Go on", "继续"),
    "dismiss": ("Dismiss", "知道了"),
    # Make: choices
    "style": ("Style", "画风"),
    "palette": ("Palette", "色调"),
    "strength": ("Strength", "强度"),
    "keep": ("Keep the photo's colours", "保留照片的颜色"),
    "speed_or_detail": ("Speed", "速度"),
    "speed_nano": ("Fastest", "最快"),
    "speed_lite": ("Balanced", "均衡"),
    "speed_plus": ("Finest", "最精细"),
    "lines": ("Lines", "线条"),
    "lines_bold": ("clear at every size", "清晰，任何尺寸都一样"),
    "lines_fine": ("finer", "较细"),
    "lines_finest": ("finest: every pixel, slow", "最细：逐像素绘制，较慢"),
    "size": ("Size", "尺寸"),
    "size_full": ("as large as the photo", "与照片相同"),
    "size_most": ("at most {size} px", "最长边 {size} 像素"),
    "download": ("Download", "下载"),
    "film": ("Draw the whole film", "绘制整部短片"),
    "pair": ("Before | after", "前后对比图"),
    "gif": ("GIF of both", "对比动图"),
    "zip": ("All as a zip", "全部打包下载"),
    "api": ("For programs: API", "供程序调用：API"),
    # Make: what is said
    "sending": ("Taking in {name} … {percent} %", "正在读入 {name}…… {percent} %"),
    "waiting": ("Waiting: {count} ahead", "排队中：前面还有 {count} 个"),
    "drawing": ("Drawing …", "正在绘制……"),
    "drawing_many": ("Drawing {done} of {total} …", "正在绘制第 {done} 张，共 {total} 张……"),
    "drawing_film": ("Drawing the film … {percent} %", "正在绘制短片…… {percent} %"),
    "making": ("Making the file …", "正在生成文件……"),
    "making_zip": ("Packing {done} of {total} …", "正在打包第 {done} 张，共 {total} 张……"),
    "seconds_left": ("about {count} s left", "约剩 {count} 秒"),
    "minutes_left": ("about {count} min left", "约剩 {count} 分钟"),
    "seconds_so_far": ("{count} s", "已用 {count} 秒"),
    "of_photo": ("{name}: {width} × {height} px", "{name}：{width} × {height} 像素"),
    "of_film": (
        "{name}: a film; this is its first frame. Choose how it shall look, then draw it.",
        "{name}：短片，此处为第一帧。选好效果后再绘制整部短片。",
    ),
    "of_frames": (
        "{name}: {width} × {height} px, {frames} frames, all of them drawn when you download it",
        "{name}：{width} × {height} 像素，共 {frames} 帧，下载时全部绘制",
    ),
    "saved": ("Saved: {name}", "已保存：{name}"),
    "stopped": ("Stopped. What is drawn is kept.", "已停止，画好的图片仍然保留。"),
    "busy": (
        "The studio is busy: too many pictures are waiting. It tries again by itself.",
        "当前排队的图片太多，会自动重试。",
    ),
    "away": (
        "The studio does not answer. Is it still running? It tries again by itself.",
        "工作室没有响应，请确认它仍在运行。会自动重试。",
    ),
    "cleared": (
        "{name}: cleared away after an hour. Please put it in again.",
        "{name}：一小时后已被清理，请重新放入。",
    ),
    "expired": (
        "The photo has been cleared away after an hour. Please put it in again.",
        "照片已在一小时后被清理，请重新放入。",
    ),
    "busy_now": (
        "The studio is busy: too many pictures are waiting. Try again in a moment.",
        "当前排队的图片太多，请稍后再试。",
    ),
    "away_now": ("The studio does not answer. Is it still running?", "工作室没有响应，请确认它仍在运行。"),
    "too_large": ("{name}: too large, at most {most} MB for one file.", "{name}：文件过大，单个文件上限为 {most} MB。"),
    "too_many": (
        "{count} photos are more than the page takes: the first {most} are drawn.",
        "一次最多 {most} 张，共放入 {count} 张：只绘制前 {most} 张。",
    ),
    "no_pictures": (
        "Left out, since they are no pictures or films that are read: {names}",
        "以下文件不是可读取的图片或短片，已略过：{names}",
    ),
    "nothing_dropped": ("There was no photo in what you dropped.", "拖入的内容中没有照片。"),
    "nothing_pasted": (
        "There is no picture to paste. Copy one first, then press Ctrl+V here.",
        "剪贴板中没有图片。请先复制一张，再在此按 Ctrl+V。",
    ),
    "no_camera": (
        "The camera cannot be used: there is none, it is in use, or this page may not use it.",
        "无法使用摄像头：没有摄像头、正被占用，或未获许可。",
    ),
    "no_sample": ("The sample could not be loaded.", "示例加载失败。"),
    "failed": ("{name}: {reason}", "{name}：{reason}"),
    "not_saved": ("The file could not be made.", "文件生成失败。"),
    # the page on use by programs
    "api_title": ("The studio for programs", "供程序调用"),
    "api_about": (
        "pip install gradio_client, then, while the studio runs:",
        "先安装 gradio_client（pip install gradio_client），再在工作室运行时：",
    ),
    "api_style": ("the network that draws", "负责绘画的网络"),
    "api_palette": ("colours afterwards; none is as drawn", "之后的调色，none 为原样"),
    "api_strength": ("from the photo to the drawing", "从照片到完整画作"),
    "api_keep": ("the photo's colours with the drawing's light and lines", "照片的颜色，画作的明暗与线条"),
    "api_speed": ("the size of the style's network, if it ships in it", "画风网络的大小（若提供）"),
    "api_lines": ("how fine the lines are", "线条的粗细"),
    "api_size": ("pixels; 0 is as large as the photo", "像素，0 为与照片相同"),
    "api_queue": (
        "Programs are drawn in their turn, like everyone else. The drawing is a file of the photo's own format.",
        "程序与所有人一样依次绘制。结果与照片格式相同。",
    ),
    "api_back": ("To the studio", "返回工作室"),
    # styles and palettes
    "none": ("As drawn", "原色"),
    "cute": ("Cute", "可爱"),
    "hayao_note": ("soft paint, warm greens", "笔触柔和，绿意温暖"),
    "shinkai_note": ("clear light, deep skies", "光线通透，天空深远"),
    "cute_note": ("portraits, large clear eyes", "人像，大而清澈的眼睛"),
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
WRITTEN_ONCE = ("make", "compare", "judge", "upload_text.drop_file", "upload_text.click_to_upload", "common.or")


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

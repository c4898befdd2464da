"""What engineers and administrators read in the views Compare and Judge, in English and Chinese.

Names stay as they are in both: of styles, variants and versions, of MLflow's aliases, of metrics that have no other.
"""

from html import escape

from anime_app.studio.texts import Table, both, in_both
from anime_app.studio.texts import label as page_label
from anime_app.studio.translation import translated
from anime_model.figures.search import ENGLISH as SEARCH

TEXTS: Table = {
    # Compare: the page
    "compare_style": ("Style", "风格"),
    "compare_versions": ("Versions, at most six beside each other", "版本，最多并排六个"),
    "compare_again": ("Read again", "重新读取"),
    "compare_upload": ("Your photo", "放入照片"),
    "compare_figures": ("Figures", "指标"),
    "compare_front": (
        "Latency against likeness: choose a point to see its pictures",
        "延迟与相似度：点选一个点查看其画作",
    ),
    "compare_lpips": ("LPIPS to the teacher", "相对教师模型的 LPIPS"),
    "compare_fid": ("FID to the style", "相对风格的 FID"),
    "compare_trends": ("Over the registered versions", "各注册版本的变化"),
    "compare_trial": ("trial", "试验"),
    "compare_newest": ("the challenger, else the newest int8", "挑战者；没有时为最新的 int8 版本"),
    # Compare: what is said
    "compare_reading": ("Reading the project and the registry …", "正在读取项目和注册表……"),
    "compare_no_version": ("Choose a version to see pictures here.", "选择一个版本即可在此查看画作。"),
    "compare_no_photo": ("Choose a photo to see pictures here.", "选择一张照片即可在此查看画作。"),
    "compare_gone": ("This point is no longer there: read again.", "这个点已不存在，请重新读取。"),
    "compare_own": ("your photo", "你的照片"),
    "compare_put": ("Put in a photo of your own to compare on it.", "放入自己的照片，即可在其上对比。"),
    "compare_nothing": ("Nothing to compare yet.", "还没有可对比的内容。"),
    # Compare: panes
    "pane_larger": ("larger", "放大"),
    "pane_smaller": ("smaller", "缩小"),
    "pane_whole": ("whole", "全图"),
    "pane_hint": (
        "Click a picture to look closer, drag to move: all move together.",
        "点击图片放大，拖动平移：所有图片一起移动。",
    ),
    "pane_group": ("Pictures; plus, minus and arrows zoom and move", "图片；加号、减号和方向键可缩放和平移"),
    # Compare: the table and the charts
    "column_version": ("version", "版本"),
    "column_parameters": ("parameters", "参数量"),
    "column_bytes": ("size", "大小"),
    "column_latency_p50_ms": ("latency p50", "延迟 p50"),
    "column_peak_memory_mb": ("memory", "内存"),
    "column_fid": ("FID", "FID"),
    "column_fid_share": ("FID / photo's", "FID / 原照片"),
    "column_kid": ("KID", "KID"),
    "column_lpips": ("LPIPS to teacher", "LPIPS（对教师）"),
    "column_lpips_photo": ("LPIPS to photo", "LPIPS（对原照片）"),
    "column_lpips_reference": ("LPIPS to reference", "LPIPS（对参考网络）"),
    "column_psnr": ("PSNR", "PSNR"),
    "column_ssim": ("SSIM", "SSIM"),
    "column_panel_overall": ("panel", "评审"),
    "baseline_photo": ("untouched photo", "原照片"),
    "baseline_filter": ("filter, no network", "滤镜（无网络）"),
    "baseline_reference": ("published network", "已发布的网络"),
    "chart_none": ("No version has both a latency and {figure} yet.", "还没有版本同时具备延迟和 {figure}。"),
    "chart_no_versions": ("No registered versions of this style yet.", "此风格还没有注册版本。"),
    "chart_milliseconds": ("milliseconds for one picture, logarithmic", "每张图片的毫秒数（对数刻度）"),
    "chart_lpips": ("LPIPS to the teacher, less is closer", "相对教师模型的 LPIPS，越小越接近"),
    "chart_fid": ("FID to the style, less is closer", "相对风格的 FID，越小越接近"),
    "chart_pareto": ("Latency against {figure}, {count} versions", "延迟与 {figure}，{count} 个版本"),
    "chart_latency": ("latency", "延迟"),
    "chart_trend": ("{figure} over versions {first} to {last}", "{figure}，版本 {first} 至 {last}"),
    "chart_strengths": ("Bradley-Terry strengths of {count} versions", "{count} 个版本的 Bradley-Terry 强度"),
    "chart_wins": ("wins {share} %", "胜率 {share} %"),
    "chart_strength": (
        "strength (log), 0 is the average version; its share of wins against that",
        "强度（对数），0 为平均水平的版本；胜率相对于它",
    ),
    # Compare: what a search has found
    "compare_search": (
        "What a search has found: point at a network, or use the tab key",
        "搜索结果：指向一个网络，或用 Tab 键切换",
    ),
    "search_none": (
        "No search of this style yet: python -m flows.search {style} makes one.",
        "此风格还没有搜索：python -m flows.search {style} 可进行搜索。",
    ),
    "search_chart": (SEARCH["search_chart"], "参评成员的 LPIPS 与毫秒数"),
    "search_ms": (SEARCH["search_ms"], "每张图片的毫秒数（对数刻度）"),
    "search_lpips": (SEARCH["search_lpips"], "相对教师模型的 LPIPS，越小越接近"),
    "search_channels": (SEARCH["search_channels"], "通道数"),
    "search_hidden": (SEARCH["search_hidden"], "块内通道数"),
    "search_kernels": (SEARCH["search_kernels"], "卷积核"),
    "search_depth": (SEARCH["search_depth"], "块数"),
    "search_trial": (SEARCH["search_trial"], "试验"),
    "search_faster": (SEARCH["search_faster"], "加速倍数"),
    "search_size": (SEARCH["search_size"], "规格"),
    "search_network": (SEARCH["search_network"], "网络"),
    "search_all": (SEARCH["search_all"], "全部参评成员，最快的在前"),
    "search_front": (SEARCH["search_front"], "前沿"),
    "search_pick": (SEARCH["search_pick"], "一条命令即可把找到的点变成网络和配方；其他点用其编号："),
    # promote and roll back
    "promote_title": ("Promote and roll back", "晋升与回滚"),
    "promote_locked": (
        "Promote and roll back are locked: start the studio with a token to unlock them.",
        "晋升与回滚已锁定：用令牌启动工作室即可解锁。",
    ),
    "promote_no_project": (
        "Promote and roll back need a project: start the studio in the folder of one.",
        "晋升与回滚需要项目：请在项目的文件夹中启动工作室。",
    ),
    "promote_version": ("Version", "版本"),
    "promote_reason": ("Reason for rolling back", "回滚原因"),
    "promote_check": ("Check the gates", "检查门槛"),
    "promote": ("Promote", "晋升"),
    "promote_back": ("Roll back", "回滚"),
    "promote_wrong": ("The token is missing or wrong: nothing was changed.", "令牌缺失或错误：没有任何改动。"),
    "promote_no_style": ("Choose a style first.", "请先选择风格。"),
    "promote_why": (
        "Say why in a few words: the reason is kept with the version.",
        "请简要说明原因：它会与该版本一起保存。",
    ),
    "promote_measuring": (
        "Measuring the gates of {style} … this can take minutes.",
        "正在测量 {style} 的门槛指标……可能需要几分钟。",
    ),
    "promote_so_far": ("{count} s so far", "已用 {count} 秒"),
    "promote_rolling": ("Rolling back {style} … this can take minutes.", "正在回滚 {style}……可能需要几分钟。"),
    "verdict_promoted": ("promoted", "已晋升"),
    "verdict_would_promote": ("would promote", "可以晋升"),
    "verdict_rolled_back": ("rolled back", "已回滚"),
    "verdict_refused": ("refused", "未通过"),
    "verdict_failed": ("failed", "失败"),
    "verdict_before": ("champion before: v{version}", "此前的冠军版本：v{version}"),
    "gate_gate": ("gate", "门槛"),
    "gate_figure": ("figure", "实测"),
    "gate_bound": ("bound", "界限"),
    "gate_passed": ("passed", "通过"),
    "gate_not_passed": ("not passed", "未通过"),
    # Judge: the administrator's part
    "token": ("Token", "令牌"),
    "admin_none": (
        "Panels are made with the studio's token, and this studio was started without one.",
        "创建评审需要工作室令牌，而此工作室启动时没有设置令牌。",
    ),
    "admin_wrong": ("The token is missing or wrong.", "令牌缺失或错误。"),
    "admin_open": ("Open", "打开"),
    "admin_new": ("A new panel", "新建评审"),
    "admin_name": ("Name", "名称"),
    "admin_versions": ("Versions to judge", "要评审的版本"),
    "admin_sets": ("Test photos of the last run", "上次运行的测试照片"),
    "admin_each": ("Photos of each set", "每组照片数"),
    "admin_files": ("Photos of your own", "自己的照片"),
    "admin_pairs": ("Pairs for each rater", "每位评审者评的对数"),
    "admin_raters": ("Raters, one name a line", "评审者，每行一个名字"),
    "admin_make": ("Make the panel", "创建评审"),
    "admin_panel": ("Panel", "评审"),
    "admin_more": ("More raters, one name a line", "更多评审者，每行一个名字"),
    "admin_invite": ("Invite", "邀请"),
    "admin_log": ("Write the scores to MLflow", "将评分写入 MLflow"),
    "admin_ready": (
        "The panel is ready: send each rater the link of their own.",
        "评审已创建：请把各自的链接发给每位评审者。",
    ),
    "admin_first": ("Make a panel first.", "请先创建评审。"),
    "admin_no_panel": ("No panel yet.", "还没有评审。"),
    "admin_nobody": ("Nobody is invited yet.", "还没有邀请任何人。"),
    "admin_no_ratings": ("No ratings yet.", "还没有评分。"),
    "admin_rater": ("rater", "评审者"),
    "admin_rated": ("pairs rated", "已评对数"),
    "admin_of": ("{done} of {total}", "{done} / {total}"),
    "admin_link": ("link", "链接"),
    "admin_copy": ("copy", "复制"),
    "admin_local": (
        "These links open on this computer only. For raters elsewhere start the studio with --host 0.0.0.0, open this "
        "page by this computer's name or address, and copy the links there.",
        "这些链接只能在本机打开。若评审者使用其他电脑，请用 --host 0.0.0.0 启动工作室，"
        "通过本机的名称或地址打开此页面，再复制链接。",
    ),
    "admin_copied": ("copied", "已复制"),
    "admin_scores": ("Scores", "评分"),
    "admin_ranking": ("Ranking", "排名"),
    "admin_how": (
        "{pairs} pairs by {raters}. Means: of the raters' own means, with Student's t intervals over raters (95 %). "
        "Strength: Bradley-Terry by maximum likelihood, intervals of 1.96 standard errors; the side with the higher "
        "mean of its scores wins the pair, equal means are half a win each.",
        "共评 {pairs} 对，{raters}。均值：各评审者自身均值的平均，并给出以评审者为单位的 Student t 区间（95 %）。强度："
        "Bradley-Terry 模型的最大似然估计，区间为 1.96 倍标准误；平均分较高的一方赢得该对，均分相等各记半胜。",
    ),
    "score_naturalness": ("natural face", "面部自然"),
    "score_colour": ("colour", "色彩"),
    "score_anime": ("anime feel", "动漫感"),
    "score_speed": ("speed", "速度"),
    "score_overall": ("overall", "总体"),
    "log_no_registry": ("There is no MLflow registry to write to.", "没有可写入的 MLflow 注册表。"),
    "log_unrated": ("{label}: nobody rated it yet, nothing written.", "{label}：还没有人评分，未写入。"),
    "log_unregistered": ("{label}: not registered in MLflow, nothing written.", "{label}：未在 MLflow 注册，未写入。"),
    "log_no_mlflow": ("MLflow is not installed: pip install mlflow", "未安装 MLflow：pip install mlflow"),
    "log_written": (
        "{label}: {metrics} metrics and {tags} tags written to {model} v{version}.",
        "{label}：已将 {metrics} 项指标和 {tags} 个标签写入 {model} v{version}。",
    ),
}
# Gates of `flows.promote` whose names a reader of English reads as they stand in the recipe.
GATES = {
    "bytes": "文件大小（字节）",
    "latency_p95_ms": "延迟 p95（毫秒）",
    "latency_ratio": "延迟（与冠军之比）",
    "style_share": "FID（与原照片之比）",
    "lpips_photo": "LPIPS（相对原照片）",
    "fid": "FID",
    "fid_to_champion": "FID（相对冠军）",
    "lpips": "LPIPS",
    "lpips_to_champion": "LPIPS（相对冠军）",
    "psnr": "PSNR",
    "panel": "评审均分",
}


def text_html(key: str, tag: str = "span", **values: object) -> str:
    """HTML with one of these texts in both languages; in an SVG `tag` is tspan."""
    return both(key, TEXTS, tag, **values)


def line_html(text: str, tag: str = "span") -> str:
    """HTML with a line from below the page in both languages, escaped."""
    return _pair_html(translated(text), tag)


def label_html(label: str, tag: str = "span") -> str:
    """HTML with a version's name in both languages, escaped."""
    return _pair_html(label_words(label), tag)


def label_words(label: str) -> tuple[str, str]:
    """A version's name in both languages, also one that was read from a file."""
    english, chinese = TEXTS["compare_trial"]
    return str(label), label.replace(f" · {english} ", f" · {chinese} ")


def _pair_html(pair: tuple[str, str], tag: str) -> str:
    english, chinese = map(escape, pair)
    return english if english == chinese else in_both(english, chinese, tag)


def gate(name: str) -> str:
    """HTML with a gate's name, as the recipe has it or in Chinese."""
    return in_both(escape(name), escape(GATES.get(name, name)))


def named(label: str) -> str:
    """A version's name in a list of choices, whose one word of ours is the page's to translate."""
    return label.replace(f" · {TEXTS['compare_trial'][0]} ", f" · {page_label('compare_trial')} ")


def rater_count(count: int) -> tuple[str, str]:
    return f"{count} rater{'s' * (count != 1)}", f"{count} 位评审者"

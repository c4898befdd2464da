"""What the parts below the page say in one English line, in Chinese: they know nothing of readers and languages.

What MLflow, ONNX Runtime or the operating system say in their own words stays in their words.
"""

import re

# A pattern of the whole line, and what takes its place.
CHINESE = {
    # pictures
    r"photo": r"原照片",
    r"not a picture that can be read.*": r"不是可以读取的图片（已损坏、为空或格式未知）",
    r"(\d+) x (\d+) pixels.*more than the bound of (\S+) million.*": r"\1 x \2 像素，超过上限 \3 百万像素",
    r"too large": r"文件太大",
    r"too many pixels to be an honest picture.*": r"像素过多，不是正常的图片",
    r"damaged picture.*": r"图片已损坏",
    r"cannot be written as (\S+) .*": r"无法写成 \1 格式",
    r"not enough memory": r"内存不足",
    r"no such file or directory": r"文件已被清理，请重新放入",
    r"no space left on device": r"磁盘空间不足",
    # models
    r"ONNX Runtime cannot open it as a model \((.*)\)": r"ONNX Runtime 无法将其作为模型打开（\1）",
    r"a model takes `photo` and makes `anime`.*; this one has (.*)": (
        r"模型的输入应为 photo，输出应为 anime；此模型为 \1"
    ),
    r"the model failed \((.*)\)": r"模型运行失败（\1）",
    r"made (.*) of a photo (.*)": r"输入照片为 \2，却输出了 \1",
    r"made values that are no numbers \(NaN\)": r"输出中有非数值（NaN）",
    r"holds no ONNX file": r"其中没有 ONNX 文件",
    r"its model file is no longer there": r"模型文件已不存在",
    r"its model file is not there; benchmarks\.explore keeps it in scratch/explore\.": (
        r"模型文件不存在；benchmarks.explore 会将其保存在 scratch/explore。"
    ),
    r"MLflow is not installed; `pip install mlflow`, or name a model file": (
        r"未安装 MLflow：请运行 pip install mlflow，或指定模型文件"
    ),
    r"MLflow does not give it \((.*)\)": r"MLflow 未能提供此模型（\1）",
    r"strength is from 0 \(the photo\) to 1 \(the drawing\), not (.*)": (
        r"强度应在 0（原照片）到 1（完整画作）之间，而不是 \1"
    ),
    r"stroke is the short side in pixels, from (.*) up, or 0 for full, not (.*)": (
        r"stroke 为短边像素数，最小为 \1，0 表示原尺寸，而不是 \2"
    ),
    # versions at hand
    r"No project is open: start the studio in the folder of a pipeline project, or name one\.": (
        r"没有打开项目：请在流水线项目的文件夹中启动工作室，或用 --project 指定。"
    ),
    r"(\S+) has no evaluated models yet: python -m flows\.compress makes them\.": (
        r"\1 中还没有评估过的模型：运行 python -m flows.compress 生成。"
    ),
    r"MLflow's registry is empty: python -m flows\.compress registers every evaluated variant\.": (
        r"MLflow 注册表为空：python -m flows.compress 会注册所有评估过的变体。"
    ),
    r"No MLflow registry: set MLFLOW_TRACKING_URI, or run the pipeline, which makes mlflow\.db\.": (
        r"没有 MLflow 注册表：请设置 MLFLOW_TRACKING_URI，或运行流水线生成 mlflow.db。"
    ),
    r"MLflow is not installed, so no registered versions: pip install mlflow": (
        r"未安装 MLflow，因此没有已注册的版本：pip install mlflow"
    ),
    r"MLflow is not installed(: pip install mlflow)?": r"未安装 MLflow：pip install mlflow",
    r"MLflow at (\S+) does not answer(?: \((.*)\))?": r"\1 处的 MLflow 没有响应（\2）",
    r"MLflow at (\S+) did not take the results: (.*)": r"\1 处的 MLflow 未接受结果：\2",
    r"MLflow has no version (\S+) of (\S+?)(: `make mlflow` shows which)?": r"MLflow 中没有 \2 的版本 \1",
    r"(\S+) · trial ([^:]*)": r"\1 · 试验 \2",
    # how figures were measured
    r"latency: (.*), (\S+) threads, (\S+) px, (.*) · FID: (.*), (\S+) frames, (\S+) pictures"
    r"(?:, too large by few pictures)? · LPIPS \((.*)\) and PSNR to the teacher": (
        r"延迟：\1，\2 线程，\3 px，\4 · FID：\5，\6 帧真实画面，\7 张画作（图片少时偏大）"
        r" · LPIPS（\8）与 PSNR 均相对教师模型"
    ),
    # promotion
    r"passed (\d+) gates": r"通过了全部 \1 项门槛",
    r"(\w+) failed: (\S+), at most (\S+)": r"\1 未通过：\2，上限为 \3",
    r"(\w+) failed: (\S+), at least (\S+)": r"\1 未通过：\2，下限为 \3",
    r"(\w+) failed: (\S+) \((\S+) to (\S+)\), at most (\S+)": r"\1 未通过：\2（\3 至 \4），上限为 \5",
    r"(\S+) (\d+) is the variant (.*): only (\S+) versions are promoted; --any-variant takes it anyway": (
        r"\1 \2 是 \3：只晋升 \4 版本；加 --any-variant 可强制执行"
    ),
    r"it is the champion already": r"它已经是冠军版本",
    r"its file is that of the champion, version (\S+)": r"其文件与冠军版本 \1 相同",
    r"MLflow has no (\S+) version of (\S+): run `python -m flows\.compress` first": (
        r"MLflow 中没有 \2 的 \1 版本：请先运行 python -m flows.compress"
    ),
    r"(\S+) has no champion: nothing to roll back": r"\1 没有冠军版本，无法回滚",
    r"(\S+) (\S+) is the first champion: there is no former one to go back to": (
        r"\1 \2 是第一个冠军版本，没有可回滚的前任"
    ),
    r"other promotions changed the champion (\d+) times; run this again": r"冠军版本被其他晋升改变了 \1 次，请重新运行",
    r"its tag panel_overall is no number: (.*)": r"标签 panel_overall 不是数字：\1",
    r"(\S+) (\S+) holds no ONNX file": r"\1 \2 中没有 ONNX 文件",
    r"its file is not the registered one any more \(md5 (\S+)\)": r"其文件已不是注册时的文件（md5 \1）",
    r"no teacher of (\S+), neither (\S+) nor in MLflow: run `python -m flows\.compress` first": (
        r"没有 \1 的教师模型（\2 和 MLflow 中都没有）：请先运行 python -m flows.compress"
    ),
    r"(\S+) is no style: .*": r"\1 不是风格名：只能用小写字母、数字、- 和 _，例如 shinkai",
    r"--rollback goes to the former champion: it takes no --version, --dry-run, --any-variant or --override": (
        r"--rollback 回到前任冠军版本，不能与 --version、--dry-run、--any-variant 或 --override 同用"
    ),
    r"--override (.*): no gate of that name; choose from (.*)": r"--override \1：没有这个名称的门槛；可选：\2",
    r"--override needs --reason TEXT: the next person wants to know why": r"--override 需要 --reason 说明原因",
    r"--rollback needs --reason TEXT: the next person wants to know why": r"--rollback 需要 --reason 说明原因",
    r"another DVC process holds its files: wait until it ends": r"另一个 DVC 进程正在使用这些文件，请等它结束",
    r"took longer than its timeout": r"超过了时间限制",
    r"stopped": r"已停止",
    r"(\S+) does not start \((.*)\)": r"\1 无法启动（\2）",
    r"no verdict after (\d+) minutes: the flow was ended": r"\1 分钟后仍无结论，流程已被终止",
    r"this project has no flows\.promote: open a clone of the project with its flows": (
        r"此项目没有 flows.promote：请打开包含 flows 的完整项目"
    ),
    r"it ended with status (\S+)": r"以状态 \1 结束",
    # panels
    r"a panel needs two versions or more, and a photo or more": r"评审至少需要两个版本和一张照片",
    r"there is no panel (\S+)": r"没有编号为 \1 的评审",
    r"this panel has a rater (.*) already: give each a name of their own": (
        r"此评审已有名为 \1 的评审者：请让每人的名字各不相同"
    ),
    r"this link belongs to no panel: ask for yours again": r"此链接不属于任何评审，请重新索取",
    r"this picture is not there(: open your link again)?": r"没有这张图片，请重新打开链接",
    r"this pair is not there: open your link again": r"没有这一对，请重新打开链接",
    r"a face is rated on both sides or on none": r"面部要么两边都评，要么都不评",
    r"a score is a whole number from (\d+) to (\d+), not (.*)": r"分数应为 \1 到 \2 的整数，而不是 \3",
    r"the panel's file cannot be used \((.*)\)": r"无法使用评审文件（\1）",
    r"was made by another release \(layout (\S+), this one reads (\S+)\)": (
        r"由其他版本的程序生成（格式 \1，本程序读取格式 \2）"
    ),
    r"Choose a set of photos, or put in some of your own\.": r"请选择一组照片，或放入自己的照片。",
    r"(\d+) photos are more than one panel takes: at most (\d+)\.": r"一个评审最多 \2 张照片，共有 \1 张。",
    r"Choose two different versions or more\.": r"请选择至少两个不同的版本。",
    r"Give each rater a name of their own\.": r"请让每位评审者的名字各不相同。",
    r"no ranking yet: nothing compares (.*); more pairs must be rated": (
        r"还不能排名：没有任何评分把这些版本联系起来：\1；需要评更多对"
    ),
    r"one tie was added to every pair that met: a version has won, or lost, all there was to win or lose": (
        r"有版本全胜或全负，因此给每对交过手的版本各加了一次平局"
    ),
    r"Pictures of at most (\d+) pixels\. Each appears after .*: the median of (\d+) runs, ONNX Runtime (\S+), "
    r"(\d+) threads?, from pixels to pixels\.": (
        r"图片最长边不超过 \1 像素。每幅画作在其模型于本机绘制这张照片所需的时间之后出现："
        r"从像素到像素，\2 次运行的中位数，ONNX Runtime \3，\4 线程。"
    ),
    r"A number is missing or too large: a whole number from 1 to (\d+)\.": r"缺少数字或数字过大：请填 1 到 \1 的整数。",
    r"no network (.*): there is (.*)": r"没有画风 \1：可用 \2",
    r"no palette (.*): there is (.*)": r"没有色调 \1：可用 \2",
    r"not a kind of picture or film that is read": r"不是可读取的图片或短片格式",
    r"the picture could not be made": r"图片生成失败",
    # films
    r"holds no frame that can be read": r"没有可读取的画面",
    r"holds no film": r"没有视频画面",
    r"films need PyAV; pip install 'animegan-lite\[video\]'": r"处理短片需要 PyAV：pip install 'animegan-lite[video]'",
    r"a film of a kind that is not read \((.*)\)": r"无法读取的短片格式（\1）",
    r"(\d+) x (\d+) pixels are too few for a film": r"\1 x \2 像素过小，无法制成短片",
    r"HDR \((\S+)\) is tone-mapped to SDR \(BT\.709\)": r"HDR（\1）已转换为 SDR（BT.709）",
    r"interlaced: deinterlaced, at the same frame rate": r"隔行扫描，已按原帧率去隔行",
    r"transparency is left out, on black: .*": r"透明部分以黑色代替",
    r"the file is cut off: it ends at (\S+) s of (\S+) s": r"文件不完整：共 \2 秒，只到第 \1 秒",
    r"the file is damaged: the film ends where it cannot be read": r"文件已损坏：短片到无法读取处为止",
    r"(\d+) frames are left out: .*": r"有 \1 帧时间有误，已略过",
    r"error": r"错误",
}  # fmt: skip


def spoken(text: str) -> tuple[str, str]:
    """A line from below in English and Chinese; twice the same where it is not known."""
    return text, _chinese(text) or text


def _chinese(text: str) -> str | None:
    for pattern, chinese in CHINESE.items():
        if found := re.fullmatch(pattern, text):
            return found.expand(chinese)
    parts = text.split("; ")
    if len(parts) > 1 and any(map(_chinese, parts)):
        return "；".join(_chinese(part) or part for part in parts)
    head, mark, rest = text.partition(": ")
    if mark and (known := _chinese(rest)):  # what it is about, and what is wrong with it
        return f"{_chinese(head) or head}：{known}"
    return None

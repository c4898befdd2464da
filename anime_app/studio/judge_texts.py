"""What a rater reads, in English and Chinese."""

TEXTS = {
    "judge_title": ("Which drawing do you like?", "你更喜欢哪一张？"),
    "judge_how": (
        "You will see the same photo drawn twice, A and B, by two networks whose names are hidden. Give each drawing 1 "
        "to 5 for the four points below. There is no right answer, and the sides and the order are random.",
        "每次会看到同一张照片的两幅画作 A 和 B，由两个不透露名称的模型绘制。请按以下四项分别给出 1 到 5 分。"
        "没有标准答案，左右位置和先后顺序都是随机的。",
    ),
    "judge_speed_how": (
        "Each drawing appears after the time that its network really needs: that is what you rate as speed. Watch "
        "again as often as you like.",
        "每幅画作会在模型实际所需的时间之后出现，速度一项就凭这个感受打分。可以反复重看。",
    ),
    "judge_stop": (
        "Every pair is saved when you press Next. You can stop at any time and go on later with the same link.",
        "按“下一对”即保存。可以随时停下，之后用同一链接继续。",
    ),
    "judge_start": ("Start", "开始"),
    "judge_go_on": ("Go on", "继续"),
    "judge_of": ("Pair {0} of {1}", "第 {0} 对，共 {1} 对"),
    "judge_photo": ("The photo", "原照片"),
    "judge_again": ("Watch again", "重看一次"),
    "naturalness": ("Natural face", "面部自然"),
    "colour": ("Colour", "色彩"),
    "anime": ("Anime feel", "动漫感"),
    "speed": ("Speed", "速度"),
    "naturalness_hint": ("Do faces look right?", "人脸看起来自然吗？"),
    "colour_hint": ("Are the colours pleasing?", "颜色好看吗？"),
    "anime_hint": ("Does it feel like an anime?", "像动漫画面吗？"),
    "speed_hint": ("How fast did it feel?", "感觉有多快？"),
    "no_face": ("No face in this photo", "照片里没有人脸"),
    "judge_scale": ("1 poor · 5 excellent", "1 很差 · 5 很好"),
    "judge_next": ("Next pair", "下一对"),
    "judge_back": ("Back: rate the last pair again", "返回：重评上一对"),
    "judge_missing": ("Rate A and B on every point to go on.", "请为 A 和 B 的每一项打分。"),
    "judge_done_title": ("Thank you!", "谢谢！"),
    "judge_done": ("Every pair is rated. You can close this page.", "所有画作都已评完，可以关闭页面了。"),
    "judge_lost_title": ("This link does not open a session", "此链接无法打开评审"),
    "judge_lost": ("Ask the person who sent it to you for a new one.", "请向发送链接的人索取新的链接。"),
    "judge_away": ("The studio does not answer. What you rated is kept.", "工作室没有响应，已评内容已保存。"),
    "judge_retry": ("Try again", "重试"),
    "judge_outside_title": ("A blind panel", "盲评"),
    "judge_outside": (
        "Raters open a link of their own. An administrator makes panels and links below, with the studio's token.",
        "评审者通过各自的链接进入。管理员用工作室令牌在下方创建评审和链接。",
    ),
}

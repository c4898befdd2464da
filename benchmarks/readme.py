"""Publishes evaluations: figures to a results file, its table into the README, the full account into docs.

`python -m benchmarks.readme RESULTS STYLE...`, for example `python -m benchmarks.readme results/release.json shinkai
hayao`: reads artifacts/STYLE/evaluation (the variants, and what they are compared with) and, where they are,
results/explore.json, results/pruning.json and results/article.json. Styles that are not named keep their rows; with no
STYLE the pages are written again from the results files.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from anime_model.figures.search import SPEEDUPS
from anime_model.figures.text import megabytes, text
from anime_model.recipes.recipe import load_recipe
from anime_model.report.baselines import BASELINES, FILTER, PHOTO, REFERENCE
from anime_model.report.figures import bias
from anime_model.runtime.models import SIZE, SIZES
from anime_model.runtime.names import LITE, VARIANTS

README = Path("README.md")
ACCOUNT = Path("docs/results.md")
RECIPE = Path("recipes/release.yaml")
EXPLORE = Path("results/explore.json")
PRUNING = Path("results/pruning.json")
STUDENTS = Path("results/students.json")
ARTICLE = Path("results/article.json")
LATENCY = Path("docs/latency.md")
NAMES = {
    PHOTO: "the photo, untouched",
    FILTER: "a filter, no network",
    REFERENCE: "the published network",
}
ENDS = (VARIANTS[0], LITE)
BLOCK = re.compile(r"(<!-- results: (\S+) .*?-->\n)(.*?)(<!-- end of results -->)", re.DOTALL)
SUMMARY = re.compile(r"(<!-- summary: (\S+) .*?-->\n)(.*?)(<!-- end of summary -->)", re.DOTALL)
PROTOCOL = ("latency_size", "latency_repeats", "fid_features", "fid_fake", "lpips_net")  # told once, for all styles
Metrics = dict[str, float | int | str]


def main() -> None:
    results, styles = Path(sys.argv[1]), sys.argv[2:]
    if styles:
        kept = by_style(json.loads(results.read_text())) if results.exists() else {}
        made = {style: _read(style) + sizes_of(kept.get(style, [])) for style in styles}
        rows = [row for found in (kept | made).values() for row in found]
        for key in PROTOCOL:
            if len({row[key] for row in rows if key in row}) > 1:
                raise SystemExit(f"error: {key} is not the same for all styles in {results}; publish them all together")
        results.write_text(json.dumps(rows, indent=1) + "\n")
    README.write_text(filled(README.read_text()))
    ACCOUNT.write_text(account(json.loads(results.read_text()), results))
    print(f"wrote {results}, the table in {README} and {ACCOUNT}")


def _read(style: str) -> list[Metrics]:
    """A style's variants, the teacher's first, then the rows that they are compared with.

    A lite network that came another way than through all stages has a teacher and itself at least.
    """
    folder = Path("artifacts", style, "evaluation")
    beside = folder / "baselines.json"
    there = [variant for variant in VARIANTS if variant in ENDS or (folder / f"{variant}.json").exists()]
    variants = [json.loads((folder / f"{variant}.json").read_text()) for variant in there]
    return variants + (json.loads(beside.read_text()) if beside.exists() else [])


def filled(readme: str) -> str:
    """The README with the table, and the sentence above it, of the results file that its blocks name."""
    for block, write in ((BLOCK, table), (SUMMARY, summary)):
        if not block.search(readme):
            raise SystemExit(f"error: {README} has no block for {write.__name__}")
        readme = block.sub(lambda m, write=write: m[1] + write(json.loads(Path(m[2]).read_text())) + m[4], readme)
    return readme


def summary(rows: Sequence[Metrics]) -> str:
    """How small and how fast the lite networks are, the least of all styles, for who has one minute."""
    styles = by_style(rows)
    lite = [row for row in rows if row["variant"] == LITE]
    slowest = max(lite, key=lambda row: row["latency_p50_ms"])
    faster = min(styles[str(row["style"])][0]["latency_p50_ms"] / row["latency_p50_ms"] for row in lite)
    lines = [
        f"A network of **{megabytes(max(row['bytes'] for row in lite))}** or less draws a "
        f"{slowest['latency_size']}x{slowest['latency_size']} picture in **{slowest['latency_p50_ms']:.0f} ms** or "
        f"less on {slowest['latency_threads']} threads of a CPU, at least {faster:.0f} times as fast as the large "
        "network that it was made from"
    ]
    if over := [row["latency_reference_ratio"] for row in lite if "latency_reference_ratio" in row]:
        lines.append(
            f" and {min(over):.1f} to {max(over):.1f} times as fast as the published network whose style it draws"
        )
    return "".join(lines) + f". For non-commercial use. (The CPU has {slowest['instruction_set']}.)\n"


def by_style(rows: Sequence[Metrics]) -> dict[str, list[Metrics]]:
    """Rows of each style, the teacher's first."""
    return {style: [row for row in rows if row["style"] == style] for style in dict.fromkeys(r["style"] for r in rows)}


def networks(rows: Sequence[Metrics]) -> list[Metrics]:
    return [row for row in rows if row["variant"] not in (*BASELINES, *SIZES)]


def sizes_of(rows: Sequence[Metrics]) -> list[Metrics]:
    """The rows of other sizes than lite, which `tools.ship size` writes from runs of their own."""
    return [row for row in rows if row["variant"] in SIZES]


def beside(rows: Sequence[Metrics]) -> list[Metrics]:
    """What a style's networks are compared with; from an evaluation of before, the photos as far as they were kept."""
    found = [row for row in rows if row["variant"] in BASELINES]
    if found or "fid_photos" not in rows[0]:
        return found
    plain = {key: value for key, value in rows[0].items() if "_photos" in key}
    kept = plain | {key.replace("_photos", "", 1): value for key, value in plain.items()}
    return [{"style": rows[0]["style"], "variant": PHOTO, **kept}]


def table(rows: Sequence[Metrics]) -> str:
    """The README's table, narrow enough to read: what a style is compared with, its teacher, and what ships."""
    lines = [
        f"| style | pictures of | size | latency{_on(rows)} | faster | FID | KID | LPIPS published | teacher | photo |",
        "| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: |",
        *(
            _line(row, found[0])
            for found in by_style(rows).values()
            for row in (*beside(found), *(row for row in networks(found) if row["variant"] in ENDS))
        ),
    ]
    told = [protocol(rows), *_sizes(rows)]
    return "\n".join(lines) + "\n\n" + "\n\n".join(told) + "\n"


def _sizes(rows: Sequence[Metrics]) -> Iterator[str]:
    """A small table of the sizes of each style that has more than one, and what its times are shares of."""
    if not sizes_of(rows):
        return
    lines = [
        "| style | size | file | faster | LPIPS teacher | published | KID |",
        "| --- | --- | --: | --: | --: | --: | --: |",
    ]
    for style, found in by_style(rows).items():
        named = {str(row["variant"]): row for row in sizes_of(found)}
        if named:
            (lite,) = (row for row in found if row["variant"] == LITE)
            faster = found[0]["latency_p50_ms"] / lite["latency_p50_ms"]
            named[SIZE] = lite | {"faster": faster}
        lines += [_size_line(style, size, named[size]) for size in SIZES if size in named]
    yield "\n".join(lines)
    yield (
        "Sizes of a style (`--size`, `lite` where none is named): times faster than the teacher, beside it in the "
        "same run; the rest as above."
    )


def _size_line(style: str, size: str, row: Metrics) -> str:
    near = [text(key, row.get(key)) for key in ("lpips", "lpips_reference")]
    cells = [style, f"**{size}**", text("bytes", row["bytes"]), f"{row['faster']:.1f}x", *near, _kid(row)]
    return "| " + " | ".join(cells) + " |"


def _on(rows: Sequence[Metrics]) -> str:
    """The best instructions for INT8 that the processor has: times of two processors compare with nothing."""
    best = {str(row["instruction_set"]).split()[-1] for row in rows if row.get("instruction_set")}
    return f" ({best.pop()})" if len(best) == 1 else ""


def _line(row: Metrics, teacher: Metrics) -> str:
    name = row["variant"]
    cells = [
        row["style"],
        "**lite**" if name == LITE else _name(row),
        *_weight(row),
        _times(row, teacher),
        _fid(row),
        _kid(row),
    ]
    cells += ["-" if name == REFERENCE else text("lpips_reference", row.get("lpips_reference"))]
    cells += ["-" if name == "teacher" else text("lpips", row.get("lpips"))]
    cells += ["-" if name == PHOTO else text("lpips_photo", row.get("lpips_photo"))]
    return "| " + " | ".join(map(str, cells)) + " |"


def _name(row: Metrics) -> str:
    return NAMES.get(str(row["variant"]), str(row["variant"]))


def _weight(row: Metrics) -> list[str]:
    return [text("bytes", row.get("bytes")), f"{row['latency_p50_ms']:.0f} ms" if "latency_p50_ms" in row else "-"]


def _times(row: Metrics, teacher: Metrics) -> str:
    if "latency_p50_ms" not in row:
        return "-"
    return f"{row.get('faster', teacher['latency_p50_ms'] / row['latency_p50_ms']):.1f}x"


def _of_another_run(row: Metrics) -> bool:
    """Whether `tools.retime` has left the row's times as they were."""
    return "faster" in row and row["variant"] not in SIZES


def _fid(row: Metrics, rest: str = "") -> str:
    """FID, and in brackets what share of the untouched photos' it is."""
    if (value := row.get(f"fid{rest}")) is None:
        return "-"
    plain = row.get(f"fid_photos{rest}")
    return f"{value:.2f} ({value / plain:.2f})" if plain else f"{value:.2f}"


def _kid(row: Metrics, rest: str = "") -> str:
    """A thousand times KID, and its standard deviation."""
    if (value := row.get(f"kid{rest}")) is None:
        return "-"
    deviation = row.get(f"kid_deviation{rest}")
    return f"{1000 * value:.2f}" + ("" if deviation is None else f" ± {1000 * deviation:.2f}")


def _stages(rows: Sequence[Metrics]) -> Iterator[str]:
    """What every stage costs, and what it draws: docs/results.md has room for all of them."""
    yield "| style | variant | parameters | size | GMAC | latency | over teacher | over reference | memory |"
    yield "| --- | --- | --: | --: | --: | --: | --: | --: | --: |"
    for found in by_style(rows).values():
        for row in (*(row for row in beside(found) if "bytes" in row), *networks(found)):
            size, latency = _weight(row)
            latency += "*" if _of_another_run(row) else ""
            counted = [_number(row.get("parameters"), ","), size, _number(row.get("macs_512", 0) / 1e9 or None, ".1f")]
            over = [_times(row, found[0]), _with_x(row.get("latency_reference_ratio"))]
            cells = [row["style"], _name(row), *counted, latency, *over, _number(row.get("peak_memory_mb"), ".0f")]
            yield "| " + " | ".join(map(str, cells)) + " |"


def _with_x(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}x"


def _drawn(rows: Sequence[Metrics], rest: str = "") -> Iterator[str]:
    """How near all rows are to the frames, the teacher, the photo and the reference; `rest` is "_<set>"."""
    heads = [
        "style",
        "pictures of",
        "FID (of the photos')",
        "95 %",
        "KID x 1000",
        "LPIPS: teacher",
        "photo",
        "reference",
    ]
    yield "| " + " | ".join([*heads, "PSNR", "SSIM"]) + " |"
    yield "| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: |"
    for found in by_style(rows).values():
        for row in (*beside(found), *networks(found)):
            ends = [_number(row.get(f"fid_{end}{rest}"), ".2f") for end in ("low", "high")]
            keys = (
                ("lpips", ".3f"),
                ("lpips_photo", ".3f"),
                ("lpips_reference", ".3f"),
                ("psnr", ".1f"),
                ("ssim", ".3f"),
            )
            near = [_number(row.get(key + rest), form) for key, form in keys]
            interval = "-" if "-" in ends else " - ".join(ends)
            cells = [row["style"], _name(row), _fid(row, rest), interval, _kid(row, rest), *near]
            yield "| " + " | ".join(map(str, cells)) + " |"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def protocol(rows: Sequence[Metrics]) -> str:
    row = rows[0]
    size = row["latency_size"]
    latency = f"median of {row['latency_repeats']} runs in turns, one {size}x{size} picture"
    latency += " right after another of the same network" if row.get("latency_untimed") else ""
    frames = ", ".join(f"`{style}` {found[0]['fid_real']} cuts" for style, found in by_style(rows).items())
    resamples = row.get("fid_resamples")
    deviation = f" ± its standard deviation over {resamples} resamples of the photos" if resamples else ""
    return (
        f"Latency: {latency}, {_machines(rows)}; faster than the teacher. FID over {row['fid_features']} features, "
        f"{row['fid_fake']} square cuts of the pictures against the style's frames ({frames}), in brackets its share "
        f"of the untouched photos'; KID x 1000{deviation}. {bias(row)} LPIPS ({row['lpips_net']}): to the "
        "pictures of the published network and of the teacher, and to the photo: near 0, a picture is still a photo."
    )


def _machines(rows: Sequence[Metrics]) -> str:
    """Engine, threads and processor; which style on which, where they differ."""
    on = {}
    for style, (row, *_) in by_style(rows).items():
        machine = f"{row['latency_engine']}, {row['latency_threads']} threads, {row['cpu']} ({row['instruction_set']})"
        on.setdefault(machine, []).append(f"`{style}`")
    if len(on) == 1:
        return next(iter(on))
    return "; ".join(f"{', '.join(styles)}: {machine}" for machine, styles in on.items())


def account(rows: Sequence[Metrics], results: Path) -> str:
    """docs/results.md: every stage, every test set, what was aimed at, what each step buys."""
    styles = list(by_style(rows))
    sets = [key.removeprefix("ssim_") for key in rows[0] if key.startswith("ssim_")]
    parts = [
        "# Results",
        f"Written by `python -m benchmarks.readme {results} {' '.join(styles)}` from the files that the evaluate stage "
        "wrote.",
        "## What was aimed at",
        *(f"### {style}\n\n" + "\n".join(_targets(found)) for style, found in by_style(rows).items()),
        "## What every stage costs",
        "\n".join(_stages(rows)),
        *([OTHER_RUN] if any(map(_of_another_run, networks(rows))) else []),
        *(["## Sizes", *_sizes(rows)] if sizes_of(rows) else []),
        "## What every stage draws",
        "\n".join(_drawn(rows)),
        protocol(rows) + " PSNR (dB) and SSIM: to the teacher's pictures. Memory (MB): peak of a process that does "
        "nothing else.",
        *(f"### {name} alone\n\n" + "\n".join(_drawn(rows, f"_{name}")) for name in sets),
    ]
    if EXPLORE.exists():
        parts += list(_explored(json.loads(EXPLORE.read_text())))
    if STUDENTS.exists():
        parts += ["## Whose pictures a student learns", "\n".join(_students(json.loads(STUDENTS.read_text())))]
    if PRUNING.exists():
        parts += ["## What pruning goes by", "\n".join(_pruned(json.loads(PRUNING.read_text())))]
    if ARTICLE.exists():
        parts += ["## The article's sizes", "\n".join(_article(json.loads(ARTICLE.read_text())))]
    if LATENCY.exists():
        parts += [
            "## Every engine",
            f"Every engine, size and number of threads, and the roofline: [latency.md]({LATENCY.name}).",
        ]
    sheets = [style for style in styles if Path("docs", f"{style}.jpg").exists()]  # benchmarks.showcase makes them
    parts += [f"## Pictures: {style}\n\n![{style}, stage by stage]({style}.jpg)" for style in sheets]
    return "\n\n".join(parts) + "\n"


OTHER_RUN = (
    "\\* Of another run than the rest, as is how many times faster than the teacher: each timed run came right after "
    "one of another network there, not of its own."
)
MOVED = 3  # per cent of PSNR and SSIM


def _targets(found: Sequence[Metrics]) -> Iterator[str]:
    """Figure, bound and verdict of every target of one style."""
    stages = {row["variant"]: row for row in found}
    yield "| what | target | reached | |"
    yield "| --- | --: | --: | --- |"
    yield from _targets_of_pictures(stages)
    yield from _targets_of_cost(stages["teacher"], stages[LITE])
    yield from _targets_of_sizes(stages)
    if not {"separable", "pruned"} <= stages.keys():
        return
    for key, name in (("psnr", "PSNR"), ("ssim", "SSIM")):
        moved = 100 * (stages["pruned"][key] / stages["separable"][key] - 1)
        verdict = "missed" if moved < -MOVED else "better" if moved > MOVED else "met"
        yield f"| {name} moved by pruning, after fine-tuning (%) | within {MOVED} | {moved:+.1f} | {verdict} |"


def _targets_of_pictures(stages: Mapping[str, Metrics]) -> Iterator[str]:
    teacher, lite, reference = stages["teacher"], stages[LITE], stages.get(REFERENCE, {})
    sets = [f"_{key.removeprefix('ssim_')}" for key in teacher if key.startswith("ssim_")]
    net = lite["lpips_net"]
    yield _target(f"teacher: LPIPS ({net}) to the published network", teacher.get("lpips_reference"), 0.06, ".3f")
    for key in ("fid", "kid"):
        yield _target(
            f"teacher: {key.upper()} over the published network's", _over(teacher, reference, key), 1.05, ".2f"
        )
    yield _target(f"lite: LPIPS ({net}) to the published network", lite.get("lpips_reference"), 0.08, ".3f")
    for rest in sets:
        for key in ("fid", "kid"):
            what = f"lite: {key.upper()} over the published network's, {rest[1:]}"
            yield _target(what, _over(lite, reference, key + rest), 1.08, ".2f")
    far = _over(lite, reference, "lpips_photo")
    yield _within(f"lite: LPIPS ({net}) from the photo over the published network's own", far, 0.9, 1.1)
    yield _target(f"lite: LPIPS ({net}) to the teacher", lite["lpips"], 0.05, ".3f")
    yield _target("lite: FID over the teacher's", _over(lite, teacher, "fid"), 1.05, ".2f")
    rest = "_scenes" if "_scenes" in sets else ""
    share = None if not lite.get(f"fid_photos{rest}") else lite[f"fid{rest}"] / lite[f"fid_photos{rest}"]
    yield _target(f"lite: FID over the untouched photos'{', scenes' if rest else ''}", share, 0.9, ".2f")


def _targets_of_cost(teacher: Metrics, lite: Metrics) -> Iterator[str]:
    yield _target("lite: file (MB)", lite["bytes"] / 1e6, 0.3, ".2f")
    faster = teacher["latency_p50_ms"] / lite["latency_p50_ms"]
    yield _target("lite: times faster than the teacher", faster, 25, ".1f", least=True)
    faster = lite.get("latency_reference_ratio")
    yield _target("lite: times faster than the published network", faster, 15, ".1f", least=True)
    yield _target("lite: peak memory for one 512x512 picture (MB)", lite["peak_memory_mb"], 150, ".0f")


def _targets_of_sizes(stages: Mapping[str, Metrics]) -> Iterator[str]:
    """Of the sizes beside lite, each as fast as `flows.search` asks of it."""
    for size in SIZES:
        if size in stages:
            found = stages[size]["faster"]
            yield _target(f"{size}: times faster than the teacher", found, SPEEDUPS[size], ".1f", least=True)
    if plus := stages.get(SIZES[-1]):
        yield _target(f"{SIZES[-1]}: LPIPS ({plus['lpips_net']}) to the teacher", plus["lpips"], 0.03, ".3f")


def _over(row: Metrics, other: Metrics, key: str) -> float | None:
    """A figure as a multiple of another row's; None where one was not measured or the other's is not above 0."""
    own, theirs = row.get(key), other.get(key)
    return own / theirs if own is not None and theirs is not None and theirs > 0 else None


def _target(what: str, found: float | None, bound: float, form: str, least: bool = False) -> str:
    rule = f"{'at least' if least else 'at most'} {bound}"
    return _verdict(what, rule, found, form, found is not None and (found >= bound if least else found <= bound))


def _within(what: str, found: float | None, low: float, high: float) -> str:
    return _verdict(what, f"{low} to {high}", found, ".2f", found is not None and low <= found <= high)


def _verdict(what: str, rule: str, found: float | None, form: str, met: bool) -> str:
    verdict = "not measured" if found is None else "met" if met else "missed"
    return f"| {what} | {rule} | {_number(found, form)} | {verdict} |"


def _explored(found: dict) -> Iterator[str]:
    """The ablation table and the chart of the front."""
    yield "## What each step buys"
    yield (
        f"Written by `python -m benchmarks.explore {found['style']} {found['steps']}`: style `{found['style']}`, every "
        f"network trained for {found['steps']} steps of {found['batch']} crops of {found['crop']} px in all, far less "
        f"than a release; {found['photos']} test photos, all latencies side by side (teacher {found['teacher_ms']:.0f} "
        f"ms, {found['cpu']}). LPIPS ({found['lpips_net']}), PSNR and SSIM to the teacher. So short a training tells "
        "how soon each network learns, not where it ends. INT8 here is all of it but the first and the last layer."
        + _earlier(found)
    )
    rows = [row for row in found["rows"] if row["table"] == "ablation"]
    yield "\n".join(_explored_table(rows))
    yield "## The front"
    yield "![Latency against LPIPS](front.svg)"
    yield "\n".join(_explored_table([row for row in found["rows"] if row["table"] != "ablation"]))


def _earlier(found: dict) -> str:
    """A word of warning where the trials had another teacher than the release, or were pruned by another rule."""
    recipe, warnings = load_recipe(RECIPE), ""
    if found["teacher_md5"] != recipe.teacher.import_md5.get(found["style"], ""):
        which = f"md5 {found['teacher_md5']}" if found["teacher_md5"] else "trained, not imported"
        warnings += f" Their teacher, and that of the release's stages below, is another than that above ({which})."
    rule = found.get("importance", "l1")
    if rule != recipe.prune.importance:
        warnings += f" They were pruned with `importance: {rule}`, the release with `{recipe.prune.importance}`."
    return warnings and warnings + " These figures can be compared among themselves, not with those above."


def _explored_table(rows: Sequence[Metrics]) -> Iterator[str]:
    yield "| network | parameters | size | GMAC | latency | speed-up | LPIPS | PSNR | SSIM |"
    yield "| --- | --: | --: | --: | --: | --: | --: | --: | --: |"
    for row in rows:
        name = f"release: {row['note']}" if row["table"] == "release" else row["note"]
        counted = [f"{row['parameters']:,}", f"{row['macs_512'] / 1e9:.2f}"] if "parameters" in row else ["", ""]
        yield (
            f"| {name} | {counted[0]} | {row['bytes'] / 1e6:.2f} MB | {counted[1]} | {row['ms']:.1f} ms | "
            f"{row['speed_up']:.1f}x | {row['lpips']:.3f} | {row['psnr']:.1f} | {row['ssim']:.3f} |"
        )


def _pruned(found: dict) -> Iterator[str]:
    """The same cuts by several rules, before any training."""
    yield (
        f"Written by `python -m benchmarks.pruning {found['style']}`: the separable network of style "
        f"`{found['style']}` cut in one step, with no training after it; {found['photos']} test photos at "
        f"{found['size']} px; to the teacher PSNR, SSIM and the share of the colours (U and V, squared) that is wrong. "
        "`l1`: the least norm leaves first, as in the article. `taylor`: what the picture loses least by leaves first, "
        f"and the other channels stand in for it by least squares on {found['calibration']} training photos. Chance: "
        f"the mean of {found['draws']} orders, with stand-ins. Before: nothing removed."
    )
    yield ""
    yield "| rule | GMAC | parameters | PSNR | SSIM | colours wrong |"
    yield "| --- | --: | --: | --: | --: | --: |"
    for row in found["rows"]:
        yield (
            f"| {row['rule']} | {row['macs_512'] / 1e9:.1f} | {row['parameters']:,.0f} | {row['psnr']:.1f} | "
            f"{row['ssim']:.3f} | {row['colour_error']:.0%} |"
        )


def _students(found: dict) -> Iterator[str]:
    """Students side by side, on the test photos."""
    yield (
        f"Written by `python -m benchmarks.students`: {found['photos']} test photos, style `{found['style']}`. "
        f"LPIPS ({found['lpips']}) to the published network's picture, to the teacher's and to the photo; FID and KID "
        f"({found['features']}, KID in thousandths) to the frames. {found['note']}"
    )
    yield ""
    yield "| network | LPIPS published | teacher | photo | FID | KID | faces | scenes |"
    yield "| --- | --: | --: | --: | --: | --: | --: | --: |"
    for row in found["rows"]:
        lpips = [_number(row.get(f"lpips{rest}"), ".4f") for rest in ("_reference", "", "_photo")]
        kid = [f"{1000 * row[key]:.2f}" for key in ("kid", "kid_faces", "kid_scenes")]
        yield f"| {' | '.join([row['network'], *lpips, format(row['fid'], '.3f'), *kid])} |"


def _article(found: dict) -> Iterator[str]:
    """The article's figures beside this project's, column by column."""
    yield f"Written by `python -m benchmarks.article`. {found['protocol']}"
    yield ""
    yield "| network | parameters | article | file | article | time | faster | article |"
    yield "| --- | --: | --: | --: | --: | --: | --: | --: |"
    for row in found["rows"]:
        said = {key: row.get(f"article_{key}", "-") for key in ("parameters", "file", "faster")}
        yield (
            f"| {row['network']} | {row['parameters'] / 1e6:.1f} M | {said['parameters']} "
            f"| {row['bytes'] / 1e6:.1f} MB | {said['file']} "
            f"| {row['ms']:.0f} ms | {row['speed_up']:.1f}x | {said['faster']} |"
        )


if __name__ == "__main__":
    main()

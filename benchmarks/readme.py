"""Publishes evaluations: figures to a results file, its table into the README, the full account into docs.

`python -m benchmarks.readme RESULTS STYLE...`, for example `python -m benchmarks.readme results/release.json shinkai
hayao`: reads artifacts/STYLE/evaluation and, where they are, results/explore.json, results/pruning.json and
results/article.json. Styles that are not named keep their rows; with no STYLE the pages are written again from the
results files.
"""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from anime_model.recipes.recipe import load_recipe

README = Path("README.md")
ACCOUNT = Path("docs/results.md")
RECIPE = Path("recipes/release.yaml")
EXPLORE = Path("results/explore.json")
PRUNING = Path("results/pruning.json")
ARTICLE = Path("results/article.json")
LATENCY = Path("docs/latency.md")
VARIANTS = ("teacher", "separable", "pruned", "distilled", "int8")
BLOCK = re.compile(r"(<!-- results: (\S+) .*?-->\n)(.*?)(<!-- end of results -->)", re.DOTALL)
PROTOCOL = ("latency_size", "latency_repeats", "fid_features", "fid_fake", "lpips_net")  # told once, for all styles
Metrics = dict[str, float | int | str]


def main() -> None:
    results, styles = Path(sys.argv[1]), sys.argv[2:]
    if styles:
        kept = by_style(json.loads(results.read_text())) if results.exists() else {}
        made = {style: [json.loads(path.read_text()) for path in _files(style)] for style in styles}
        rows = [row for found in (kept | made).values() for row in found]
        for key in PROTOCOL:
            if len({row[key] for row in rows}) > 1:
                raise SystemExit(f"error: {key} is not the same for all styles in {results}; publish them all together")
        results.write_text(json.dumps(rows, indent=1) + "\n")
    README.write_text(filled(README.read_text()))
    ACCOUNT.write_text(account(json.loads(results.read_text()), results))
    print(f"wrote {results}, the table in {README} and {ACCOUNT}")


def _files(style: str) -> list[Path]:
    return [Path("artifacts", style, "evaluation", f"{variant}.json") for variant in VARIANTS]


def filled(readme: str) -> str:
    """The README with the table of the results file that its block names."""
    match = BLOCK.search(readme)
    if not match:
        raise SystemExit(f"error: {README} has no block for results")
    return BLOCK.sub(lambda m: m[1] + table(json.loads(Path(m[2]).read_text())) + m[4], readme)


def by_style(rows: Sequence[Metrics]) -> dict[str, list[Metrics]]:
    """Rows of each style, the teacher's first."""
    return {style: [row for row in rows if row["style"] == style] for style in dict.fromkeys(r["style"] for r in rows)}


def table(rows: Sequence[Metrics]) -> str:
    """Markdown: one row for each style and variant, the protocol below."""
    lines = [
        "| style | variant | parameters | size | GMAC | latency | speed-up | memory | FID | LPIPS | PSNR | SSIM |",
        "| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
        *(_line(row, found[0]) for found in by_style(rows).values() for row in found),
    ]
    return "\n".join(lines) + "\n\n" + protocol(rows) + "\n"


def _line(row: Metrics, teacher: Metrics) -> str:
    near = [_number(row.get(key), form) for key, form in (("lpips", ".3f"), ("psnr", ".1f"), ("ssim", ".3f"))]
    cells = [
        row["style"],
        row["variant"],
        f"{row['parameters']:,}",
        f"{row['bytes'] / 1e6:.2f} MB",
        f"{row['macs_512'] / 1e9:.1f}",
        f"{row['latency_p50_ms']:.0f} ms",
        f"{teacher['latency_p50_ms'] / row['latency_p50_ms']:.1f}x",
        f"{row['peak_memory_mb']:.0f} MB",
        f"{row['fid']:.3g}",
        *(["-"] * 3 if row is teacher else near),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def protocol(rows: Sequence[Metrics]) -> str:
    row = rows[0]
    size = row["latency_size"]
    latency = f"median of {row['latency_repeats']} runs side by side, one {size}x{size} picture"
    plain = ", ".join(
        f"`{style}` {found[0]['fid_real']} cuts of frames, untouched photos {found[0]['fid_photos']:.3g}"
        for style, found in by_style(rows).items()
    )
    return (
        f"Latency: {latency}, {_machines(rows)}. Memory: peak of a process that does nothing else. FID over "
        f"{row['fid_features']} features, {row['fid_fake']} pictures against the style's frames ({plain}). LPIPS "
        f"({row['lpips_net']}), PSNR (dB) and SSIM: to the teacher's pictures."
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
    parts = [
        "# Results",
        f"Written by `python -m benchmarks.readme {results} {' '.join(styles)}` from the files that the evaluate stage "
        "wrote.",
        table(rows).rstrip(),
        "## What was aimed at",
        *(f"### {style}\n\n" + "\n".join(_targets(found)) for style, found in by_style(rows).items()),
        "## Each test set",
        "\n".join(_sets(rows)),
    ]
    if EXPLORE.exists():
        parts += list(_explored(json.loads(EXPLORE.read_text())))
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


FID_TARGETS = {"shinkai": 0.62, "hayao": 0.70}  # of the untouched photos' FID
MOVED = 3  # per cent of PSNR and SSIM


def _targets(rows: Sequence[Metrics]) -> Iterator[str]:
    """Figure, bound and verdict of every target."""
    stages = {row["variant"]: row for row in rows}
    teacher, lite = stages["teacher"], stages["int8"]
    yield "| what | target | reached | |"
    yield "| --- | --: | --: | --- |"
    style, plain = str(teacher["style"]), teacher["fid_photos"]
    if style in FID_TARGETS:
        yield _target(
            "teacher: FID over that of the untouched photos", teacher["fid"] / plain, FID_TARGETS[style], ".2f"
        )
    yield _target("lite file (MB)", lite["bytes"] / 1e6, 0.5, ".2f")
    faster = teacher["latency_p50_ms"] / lite["latency_p50_ms"]
    yield _target("lite: times faster than the teacher", faster, 25, ".1f", least=True)
    yield _target("lite: FID over the teacher's", lite["fid"] / teacher["fid"], 1.05, ".2f")
    yield _target(f"lite: LPIPS ({lite['lpips_net']}) to the teacher", lite["lpips"], 0.06, ".3f")
    for key, name in (("psnr", "PSNR"), ("ssim", "SSIM")):
        moved = 100 * (stages["pruned"][key] / stages["separable"][key] - 1)
        verdict = "missed" if moved < -MOVED else "better" if moved > MOVED else "met"
        yield f"| {name} moved by pruning, after fine-tuning (%) | within {MOVED} | {moved:+.1f} | {verdict} |"
    yield _target("lite: peak memory for one 512x512 picture (MB)", lite["peak_memory_mb"], 150, ".0f")


def _target(what: str, found: float, bound: float, form: str, least: bool = False) -> str:
    met = found >= bound if least else found <= bound
    return f"| {what} | {'at least' if least else 'at most'} {bound} | {found:{form}} | {'met' if met else 'missed'} |"


def _sets(rows: Sequence[Metrics]) -> Iterator[str]:
    names = [key.removeprefix("lpips_") for key in rows[0] if key.startswith("lpips_") and key != "lpips_net"]
    figures = ("fid", "lpips", "psnr", "ssim")
    yield "| style | variant | " + " | ".join(f"{figure}, {name}" for name in names for figure in figures) + " |"
    yield "| --- | --- |" + " --: |" * (len(names) * len(figures))
    for row in rows:
        values = [_number(row.get(f"{figure}_{name}"), ".3f") for name in names for figure in figures]
        yield f"| {row['style']} | {row['variant']} | " + " | ".join(values) + " |"


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

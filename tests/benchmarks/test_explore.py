from benchmarks.explore import INT8, TRIALS, front, kind_of, released


def row(ms: float, lpips: float, trial: str = "x") -> dict:
    return {"ms": ms, "lpips": lpips, "trial": trial}


def test_the_front_holds_what_nothing_beats_in_both():
    rows = [row(30, 0.10), row(10, 0.30), row(20, 0.20), row(25, 0.25), row(40, 0.10)]
    assert front(rows) == [(10, 0.30), (20, 0.20), (30, 0.10)]


def test_there_are_eight_points_beside_the_stages():
    networks = [name for name, trial in TRIALS.items() if trial.table == "front" or name == "both"]
    assert len(networks) + 2 * len(INT8) >= 8
    assert set(INT8) <= set(TRIALS)


def test_kinds_are_read_off_names():
    assert [kind_of(row(1, 1, name)) for name in ("both", "both-ptq", "both-qat")] == ["", "-ptq", "-qat"]


def test_the_release_keeps_its_share_of_the_teachers_latency():
    figures = {"parameters": 9, "macs_512": 8, "bytes": 7, "lpips": 0.09, "psnr": 30.0, "ssim": 0.9}
    found = [
        {"style": style, "variant": variant, "latency_p50_ms": ms, **(figures if variant != "teacher" else {})}
        for style, variant, ms in (("a", "teacher", 1000.0), ("a", "int8", 40.0), ("b", "int8", 1.0))
    ]
    (row,) = released(found, "a", 500.0)
    assert (row["trial"], row["ms"], row["speed_up"], row["lpips"]) == ("release int8", 20.0, 25.0, 0.09)

from benchmarks.explore import INT8, TRIALS, front, kind_of


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

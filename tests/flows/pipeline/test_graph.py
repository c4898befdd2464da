import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.pipeline.graph import GraphError, forget_dead_locks, load_stages


def changes(root: Path, *targets: str) -> dict[str, str]:
    return {stage.name: stage.changed for stage in load_stages(root, targets)}


def test_the_order_puts_the_same_stage_of_all_styles_side_by_side(toy: Path):
    stages = load_stages(toy)
    assert [stage.name for stage in stages] == [
        "train_teacher@cel", "train_teacher@ink", "export@cel", "export@ink", "evaluate@cel", "evaluate@ink",
    ]  # fmt: skip
    assert stages[-1].upstream == ("export@ink",)
    assert (stages[-1].kind, stages[-1].style) == ("evaluate", "ink")
    assert {stage.changed for stage in stages} == {"for the first time"}


def test_targets_bring_what_they_need(toy: Path):
    assert set(changes(toy, "export@cel")) == {"train_teacher@cel", "export@cel"}
    both = {"export@cel", "export@ink", "train_teacher@cel", "train_teacher@ink"}
    assert set(changes(toy, "export")) == both
    assert set(changes(toy, "@ink")) == {"train_teacher@ink", "export@ink", "evaluate@ink"}


def test_what_a_plain_repro_made_counts_as_unchanged(made: Path):
    assert set(changes(made).values()) == {""}


def test_stages_have_the_same_names_seen_from_a_subfolder(made: Path, monkeypatch: pytest.MonkeyPatch):
    expected = changes(made)
    monkeypatch.chdir(made / "artifacts" / "cel")
    assert changes(made) == expected
    assert Path.cwd() == made / "artifacts" / "cel"


def test_a_change_spreads_downstream_and_no_further(made: Path):
    (made / "artifacts" / "ink" / "teacher" / "curve.csv").write_text("step,loss\n")
    found = changes(made)
    assert found["train_teacher@ink"] == "changed outs: artifacts/ink/teacher"
    assert found["export@ink"] == "changed deps: artifacts/ink/teacher"
    assert found["evaluate@ink"] == "after export@ink"
    assert {found[name] for name in found if name.endswith("@cel")} == {""}


def test_a_missing_output_and_a_changed_number_count(made: Path):
    (made / "artifacts" / "cel" / "exports" / "int8.onnx").unlink()
    assert changes(made)["export@cel"] == "changed outs: artifacts/cel/exports"
    recipe = made / "params.yaml"
    recipe.write_text(recipe.read_text().replace("rounds: 3", "rounds: 4"))
    assert "params.yaml" in changes(made)["train_teacher@cel"]


def test_a_frozen_stage_waits_for_nothing(made: Path):
    pipeline = made / "dvc.yaml"
    pipeline.write_text(pipeline.read_text().replace("  export:\n", "  export:\n    frozen: true\n"))
    (made / "artifacts" / "cel" / "teacher" / "curve.csv").unlink()
    frozen = next(stage for stage in load_stages(made) if stage.name == "export@cel")
    assert (frozen.upstream, frozen.changed) == ((), "")


def test_what_cannot_be_read_is_one_line(toy: Path, tmp_path: Path):
    with pytest.raises(GraphError, match=r"no stage 'prune' in dvc\.yaml: choose from evaluate@cel"):
        load_stages(toy, ["prune"])
    with pytest.raises(GraphError, match=r"no DVC project \(no .dvc folder\)"):
        load_stages(tmp_path)
    (toy / "dvc.yaml").write_text("stages: [")
    with pytest.raises(GraphError, match=r"DVC cannot read the pipeline: .*dvc\.yaml") as error:
        load_stages(toy)
    assert "\n" not in str(error.value)


def test_locks_of_the_dead_are_forgotten_and_those_of_the_living_kept(toy: Path):
    locks = toy / ".dvc" / "tmp" / "rwlock"

    def locked_by(pid: int) -> bool:
        locks.write_text(json.dumps({"write": {str(toy / "x"): {"pid": pid, "cmd": "dvc repro"}}}))
        forget_dead_locks(toy)
        return locks.exists()

    living = subprocess.Popen([sys.executable, "-c", "input()", "dvc"], stdin=subprocess.PIPE)
    assert locked_by(living.pid)
    living.communicate(b"\n")
    assert not locked_by(living.pid)
    assert not locked_by(os.getppid()), "a process of that number that is no DVC holds nothing"

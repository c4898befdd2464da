"""Photos under `dvc add`, day by day: changed, gone, gone back by git, and in a second clone."""

import os
import shutil
from pathlib import Path
from threading import Event

import pytest

from flows.pipeline.graph import GraphError, load_pipeline, load_sources
from flows.pipeline.run_stage import StageError
from flows.pipeline.source_data import Runner, out_of_sync, pull, sync
from tests.flows.promoting import draw_pictures
from tests.flows.toy import dvc, git

pytestmark = pytest.mark.usefixtures("forked_dvc")


def runner(root: Path) -> tuple[Runner, list[str]]:
    lines: list[str] = []
    return Runner(root, Event(), 100, lines.append, lines.append), lines


def states(root: Path) -> dict[str, str]:
    return {source.path: source.state for source in load_sources(root)}


def changed_stages(root: Path) -> set[str]:
    return {stage.name for stage in load_pipeline(root).stages if stage.changed}


def test_tracked_data_are_no_stages_and_what_no_stage_reads_is_left_out(tracked: Path):
    pipeline = load_pipeline(tracked)
    assert {source.path: (source.state, source.files) for source in pipeline.sources} == {
        "photos": ("same", 24), "frames/cel": ("same", 8), "frames/ink": ("same", 8),
    }  # fmt: skip
    assert not [stage for stage in pipeline.stages if stage.changed or ".dvc" in stage.name or stage.kind == "photos"]
    assert {source.path for source in load_sources(tracked, ["train_teacher@cel"])} == {"photos", "frames/cel"}
    with pytest.raises(GraphError, match=r"no stage 'photos\.dvc' in dvc\.yaml: choose from evaluate@cel"):
        load_pipeline(tracked, ["photos.dvc"])


def test_what_a_person_changes_is_kept_noted_and_can_be_gone_back_from(tracked: Path):
    before = (tracked / "photos.dvc").read_text()
    draw_pictures(tracked / "photos" / "train" / "more", 3, seed=9)
    (tracked / "photos" / "train" / "0.png").unlink()
    assert states(tracked)["photos"] == "changed"
    assert changed_stages(tracked) >= {"train_teacher@cel", "evaluate@ink"}
    do, _ = runner(tracked)
    assert pull(load_sources(tracked), do)
    assert not (tracked / "photos" / "train" / "0.png").exists(), "a pull brings no photo back that was taken away"
    assert sync(load_sources(tracked), do) == [
        "photos has changed (26 files, 24 before): `git add photos.dvc` keeps this version"
    ]
    assert not out_of_sync(load_sources(tracked))
    assert (tracked / "photos.dvc").read_text() != before
    dvc("repro", "-q")
    git("commit", "-qam", "photos, version 2")

    git("checkout", "-q", "HEAD~1", "--", "photos.dvc", "dvc.lock")  # back to version 1: git moves the file alone
    os.utime("photos.dvc")  # tests are quicker than clocks of file systems
    assert states(tracked)["photos"] == "another version"
    assert sync(load_sources(tracked), do) == ["photos was another version: brought as photos.dvc names it (24 files)"]
    assert (tracked / "photos" / "train" / "0.png").exists()
    assert (tracked / "photos.dvc").read_text() == before
    dvc("checkout", "-q")
    assert changed_stages(tracked) == set(), "nothing is trained again for a version that was there before"


def test_a_second_clone_is_told_what_is_missing_and_runs_nothing_once_it_has_it(tracked: Path):
    clone = tracked.parent / "clone"
    git("clone", "-q", str(tracked), str(clone))
    do, _ = runner(clone)
    assert set(states(clone).values()) == {"missing"}
    with pytest.raises(GraphError) as error:
        sync(load_sources(clone), do)
    assert str(error.value) == (
        "frames/cel was missing, and DVC's cache does not have the 8 files that frames/cel.dvc names: "
        "`dvc pull frames/cel.dvc` brings them"
    )
    dvc("pull", "-q", folder=clone)
    assert (set(states(clone).values()), changed_stages(clone)) == ({"same"}, set())


def test_pulling_from_a_remote_that_lacks_it_says_so_in_one_line(tracked: Path):
    clone = tracked.parent / "clone"
    git("clone", "-q", str(tracked), str(clone))
    (tracked.parent / "empty").mkdir()
    dvc("remote", "modify", "store", "url", str(tracked.parent / "empty"), folder=clone)
    do, lines = runner(clone)
    with pytest.raises(StageError) as error:
        pull(load_sources(clone), do)
    assert str(error.value) == (
        "frames/cel.dvc: failed to pull data from the cloud - Checkout failed for following targets: frames/cel; "
        "`dvc push` where the 8 files of frames/cel are"
    )
    assert any(line.startswith("WARNING: Some of the cache files do not exist") for line in lines), "for the log"


def test_an_imported_folder_that_was_changed_here_is_refused_and_not_overwritten(tracked: Path):
    store = tracked.parent / "store"
    shutil.copytree(tracked / "frames" / "ink", store)
    dvc("remove", "frames/ink.dvc")
    shutil.rmtree("frames/ink")
    dvc("import-url", str(store), "frames/ink")
    draw_pictures(tracked / "frames" / "ink" / "mine", 1, seed=8)
    do, _ = runner(tracked)
    for bring in (sync, pull):
        with pytest.raises(GraphError, match=r"frames/ink is not what frames/ink\.dvc imported: make the change"):
            bring([source for source in load_sources(tracked) if source.imported], do)
    assert (tracked / "frames" / "ink" / "mine" / "0.png").exists()
    shutil.rmtree("frames/ink/mine")
    draw_pictures(store / "more", 2, seed=7)
    assert pull([source for source in load_sources(tracked) if source.imported], do) == ["frames/ink.dvc updated"]
    assert len(list(Path("frames/ink").rglob("*.png"))) == 10

"""Workers of a pool in clones of their own, with the toy project: what they hand on, and what they refuse."""

import pytest

from tests.flows.pool.conftest import Pool, ran
from tests.flows.test_retrain import wait_for
from tests.flows.toy import git

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]


def test_what_one_worker_made_another_takes_out_of_the_remote(pool: Pool):
    first, second = pool.clone("first"), pool.clone("second")
    pool.prepare(first)
    pool.work(first)
    assert pool.wait(pool.start(styles=["cel"])) == ("COMPLETED", "3 stages up to date"), pool.log(first)
    assert ran(first) == ["evaluate@cel", "export@cel", "train_teacher@cel"]
    refused = pool.run(first, "work", "--pool", pool.name)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert f"works in {first} already: give each a clone of its own" in refused.stderr

    pool.kill(first)
    pool.work(second)
    assert pool.wait(pool.start(styles=["cel", "ink"]))[0] == "COMPLETED", pool.log(second)
    assert ran(second) == ["evaluate@ink", "export@ink", "train_teacher@ink"]
    made = "artifacts/cel/exports/int8.onnx"
    assert (first / made).read_bytes() == (second / made).read_bytes()
    state, said = pool.wait(pool.start(styles=["celery"]))
    assert (state, said) == ("FAILED", "styles: celery: not in params.yaml, which has cel, ink")


def test_a_worker_that_can_do_no_run_does_not_start(pool: Pool):
    first, bare, away = pool.clone("first"), pool.clone("bare", data=False), "http://127.0.0.1:9"
    pool.prepare(first)
    refused = {
        "MLflow at http://127.0.0.1:9 does not answer": pool.run(first, "work", MLFLOW_TRACKING_URI=away),
        "data.photos: photos/train does not exist; put at least": pool.run(bare, "work"),
    }
    git("-C", str(first), "commit", "-q", "--allow-empty", "-m", "other code")
    refused["the deployment is of"] = pool.run(first, "work")
    for said, done in refused.items():
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert said in done.stderr


def test_a_clone_whose_code_changes_under_its_worker_ends_the_run_with_a_line(pool: Pool):
    first = pool.clone("first")
    pool.prepare(first)
    pool.work(first)
    assert wait_for(lambda: "started!" in pool.log(first), 120), pool.log(first)
    git("-C", str(first), "commit", "-q", "--allow-empty", "-m", "other code")
    state, said = pool.wait(pool.start(styles=["cel"]))
    assert state == "FAILED"
    assert "the deployment is of" in said
    assert "git checkout" in said
    assert ran(first) == []

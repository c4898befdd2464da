"""Workers of a pool in clones of their own, with the toy project: what they hand on, and what they refuse."""

import pytest

from tests.flows.pool.conftest import Pool, ran

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def test_what_one_worker_made_another_takes_out_of_the_remote(pool: Pool):
    first, second = pool.clone("first"), pool.clone("second")
    pool.prepare(first)
    pool.work(first)
    assert pool.wait(pool.start(styles=["cel"])) == ("COMPLETED", "3 stages up to date"), pool.log(first)
    assert ran(first) == ["evaluate@cel", "export@cel", "train_teacher@cel"]
    pool.kill(first)
    pool.work(second)
    assert pool.wait(pool.start(styles=["cel", "ink"]))[0] == "COMPLETED", pool.log(second)
    assert ran(second) == ["evaluate@ink", "export@ink", "train_teacher@ink"]
    assert (first / "artifacts/cel/exports/int8.onnx").read_bytes() == (
        second / "artifacts/cel/exports/int8.onnx"
    ).read_bytes()

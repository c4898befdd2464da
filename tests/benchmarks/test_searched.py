import pytest

from benchmarks.searched import HALVINGS, largest_share


@pytest.mark.parametrize("limit", [0.06, 0.37, 0.99])
def test_pruning_keeps_as_much_as_is_fast_enough(limit: float):
    found = largest_share(lambda share: share <= limit)
    assert found <= limit <= found * 20 ** (1 / 2**HALVINGS)


def test_what_is_never_fast_enough_keeps_the_least():
    assert largest_share(lambda share: False) == pytest.approx(0.05)

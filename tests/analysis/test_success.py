from __future__ import annotations

import pytest
from scipy.stats import binomtest

from rnnviz.analysis import success_interval
from rnnviz.errors import RnnvizError


@pytest.mark.parametrize(("solved", "runs"), [(0, 1), (1, 1), (0, 5), (3, 5), (5, 5), (7, 20), (40, 60)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_it_is_wilsons_interval(solved: int, runs: int, confidence: float) -> None:
    reference = binomtest(solved, runs).proportion_ci(confidence, method="wilson")
    assert success_interval(solved, runs, confidence) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_it_holds_the_rate_and_stays_between_nothing_and_all() -> None:
    for runs in range(1, 30):
        for solved in range(runs + 1):
            low, high = success_interval(solved, runs)
            assert 0 <= low <= solved / runs <= high <= 1
            assert low < high


def test_success_and_failure_mirror_each_other() -> None:
    low, high = success_interval(2, 9)
    assert success_interval(7, 9) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ((0, 0), "`runs` must be at least 1. Got 0."),
        ((6, 5), "`solved` must be between 0 and 5. Got 6."),
        ((-1, 5), "`solved` must be between 0 and 5. Got -1."),
        ((1, 5, 1.0), "`confidence` must be more than 0 and less than 1. Got 1.0."),
    ],
)
def test_what_is_no_count_is_refused(arguments: tuple[int, int], rule: str) -> None:
    with pytest.raises(RnnvizError, match=rule):
        success_interval(*arguments)

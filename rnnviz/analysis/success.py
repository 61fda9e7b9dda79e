"""How sure one can be of a success rate seen in a few runs."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

from rnnviz.errors import RnnvizError


def success_interval(solved: int, runs: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a success rate (Wilson 1927): the rates that `solved` of `runs` does not speak against.

    Unlike the textbook's rate ± 1.96 standard errors it stays within 0 and 1 and has a width where all runs agree: 5 of 5
    leaves everything from .57 to 1 open.

    Args:
        solved: runs that solved the task.
        runs: runs in all, at least 1.
        confidence: of the interval, between 0 and 1.

    Returns:
        Its lower and its upper end.

    Raises:
        RnnvizError: if there are no runs, more solved than there are, or the confidence is none.
    """
    if runs < 1:
        raise RnnvizError(f"`runs` must be at least 1. Got {runs}.")
    if not 0 <= solved <= runs:
        raise RnnvizError(f"`solved` must be between 0 and {runs}. Got {solved}.")
    if not 0 < confidence < 1:
        raise RnnvizError(f"`confidence` must be more than 0 and less than 1. Got {confidence}.")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate, pull = solved / runs, z * z / runs
    middle = (rate + pull / 2) / (1 + pull)
    reach = z / (1 + pull) * sqrt(rate * (1 - rate) / runs + pull / (4 * runs))
    # At the ends the two terms are equal up to rounding, which must not leave 0 or 1 just outside.
    return (0.0 if solved == 0 else middle - reach), (1.0 if solved == runs else middle + reach)

"""What the presets of the page Sweep claim, computed over ten seeds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import rnnviz
from rnnviz import Outcome
from rnnviz.ui.sweep_state import PRESETS

pytestmark = pytest.mark.slow
SEEDS = 10
Found = Callable[..., list[Outcome]]


@pytest.fixture(scope="module")
def found() -> Found:
    """The outcomes of a preset's experiment with some fields changed, over the seeds."""

    def compute(preset: str, *points: dict[str, object]) -> list[Outcome]:
        base = PRESETS[preset].plan.base
        return list(
            rnnviz.sweep((base.amend(**fields, seed=s) for s in range(SEEDS) for fields in points), store=False)
        )

    return compute


def solved(outcomes: list[Outcome], **fields: object) -> int:
    runs = [one for one in outcomes if all(getattr(one.experiment, name) == value for name, value in fields.items())]
    assert len(runs) == SEEDS
    return sum(one.solved for one in runs)


def test_success_against_length(found: Found) -> None:
    cells = ("rnn", "lstm", "gru")
    runs = found("length", *({"cell": cell, "length": length} for length in (20, 50, 100) for cell in cells))
    counts = {(cell, length): solved(runs, cell=cell, length=length) for cell in cells for length in (20, 50, 100)}
    assert min(counts[cell, 20] for cell in cells) >= SEEDS - 1, counts
    assert counts["rnn", 50] <= 1, counts
    assert counts["gru", 50] >= SEEDS - 1, counts
    assert max(counts[cell, 100] for cell in cells) <= 1, counts


def test_forget_bias_and_length(found: Found) -> None:
    asked = ((-2.0, 20), (0.0, 30), (0.0, 50), (4.0, 50), (4.0, 75))
    runs = found("forget_bias", *({"forget_bias": bias, "length": length} for bias, length in asked))
    counts = {(bias, length): solved(runs, forget_bias=bias, length=length) for bias, length in asked}
    assert counts[-2.0, 20] <= 2, counts
    assert counts[0.0, 30] > SEEDS / 2, counts
    assert counts[0.0, 50] <= 1, counts
    assert counts[4.0, 50] >= SEEDS - 1, counts
    assert counts[4.0, 75] >= 3, counts


def test_decay_against_spectral_radius(found: Found) -> None:
    plan = PRESETS["radius"].plan
    activations, radii = ("linear", "tanh", "relu", "sigmoid"), plan.across.values
    runs = found("radius", *({"activation": act, "spectral_radius": rho} for act in activations for rho in radii))
    factor = {(one.experiment.activation, one.experiment.spectral_radius, one.experiment.seed): one for one in runs}
    decays = {at: one.decay_start for at, one in factor.items()}
    for seed in range(SEEDS):
        for rho in radii:
            linear, tanh, relu, sigmoid = (decays[act, rho, seed] for act in activations)
            assert linear == pytest.approx(rho, rel=0.08)
            assert tanh == pytest.approx(linear, rel=0.05) if rho < 1 else 0.9 < tanh < 1.15
            assert relu < 0.8 * rho
            assert sigmoid < 0.3 * rho

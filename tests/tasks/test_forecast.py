import numpy as np
import pytest

from rnnviz.tasks import SIGNALS, TASKS

FORECAST = TASKS["forecast"]
PHI, SIGMA, PERIOD = (1.6, -0.8), 0.1, 12


def series(signal: str, batch: int, length: int, seed: int = 0) -> np.ndarray:
    """(length + 1, batch) float64, the whole stretch behind inputs and targets."""
    inputs, targets = FORECAST.sample(np.random.default_rng(seed), batch, length, signal)
    return np.concatenate([inputs[..., 0], targets[-1:, :, 0]]).astype(np.float64)


def agrees(sample: np.ndarray, expected: float) -> bool:
    """The mean over independent sequences (axis 1) is within four standard errors of what was promised."""
    each = sample.mean(0)
    return bool(abs(each.mean() - expected) < 4 * each.std(ddof=1) / np.sqrt(len(each)))


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_target_is_the_next_input(signal: str) -> None:
    inputs, targets = FORECAST.sample(np.random.default_rng(3), 4, 30, signal)
    np.testing.assert_array_equal(targets[:-1], inputs[1:])


@pytest.mark.parametrize("signal", SIGNALS)
def test_guessing_no_change_scores_the_declared_baseline(signal: str) -> None:
    whole = series(signal, 20_000, 36)
    baseline = FORECAST.baseline(36, signal)
    assert baseline.name == "guessing no change"
    assert agrees((whole[1:] - whole[:-1]) ** 2, baseline.value)


def test_the_ar2_sample_follows_its_recursion_with_white_innovations_of_the_declared_variance() -> None:
    x = series("ar2", 4000, 40)
    innovations = x[2:] - PHI[0] * x[1:-1] - PHI[1] * x[:-2]  # (39, 4000)
    assert agrees(innovations, 0)
    assert agrees(innovations**2, SIGMA**2)
    assert agrees(innovations[1:] * innovations[:-1], 0)
    assert agrees(innovations * x[1:-1], 0)
    assert agrees(innovations[:1] ** 2, SIGMA**2), "from the first value on"


def test_the_ar2_process_is_stationary_from_its_first_value() -> None:
    x = series("ar2", 40_000, 30, seed=1)
    # Yule-Walker, solved as a linear system.
    p1, p2 = PHI
    gamma = np.linalg.solve([[1, -p1, -p2], [-p1, 1 - p2, 0], [-p2, -p1, 1]], [SIGMA**2, 0, 0])
    for t in (0, 1, 15, 30):
        assert agrees(x[t : t + 1] ** 2, gamma[0])
    for t in (0, 14, 28):
        assert agrees(x[t : t + 1] * x[t + 1 : t + 2], gamma[1])
        assert agrees(x[t : t + 1] * x[t + 2 : t + 3], gamma[2])


@pytest.mark.parametrize(("signal", "shape"), [("sine", "sin"), ("sawtooth", "saw")])
def test_a_wave_is_one_period_at_a_random_phase_in_white_noise(signal: str, shape: str) -> None:
    phase = np.arange(PERIOD) / PERIOD
    period = np.sin(2 * np.pi * phase) if shape == "sin" else 2 * phase - 1
    x = series(signal, 3000, 47)  # four whole periods
    candidates = np.stack([np.tile(np.roll(period, -k), 4) for k in range(PERIOD)])  # (12, 48)
    errors = ((x.T[:, None] - candidates) ** 2).mean(2)  # (3000, 12)
    starts = errors.argmin(1)
    noise = x - candidates[starts].T
    assert agrees(noise**2, SIGMA**2)
    assert agrees(noise, 0)
    assert agrees(noise[1:] * noise[:-1], 0)
    assert abs(np.bincount(starts, minlength=PERIOD) / 250 - 1).max() < 0.3


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_perfect_forecaster_is_left_with_the_noise_on_the_scored_steps_and_counts_as_solved(signal: str) -> None:
    T = 50
    inputs, targets = FORECAST.sample(np.random.default_rng(7), 4000, T, signal)
    x, y = inputs[..., 0].astype(np.float64), targets[..., 0].astype(np.float64)
    first = FORECAST.scored_from(T, signal)
    if signal == "ar2":
        assert first == 1, "the second value is the first that has two behind it"
        best = PHI[0] * x[1:] + PHI[1] * x[:-1]
        errors = (y[1:] - best) ** 2
    else:
        assert first == T // 2
        phase = np.arange(PERIOD) / PERIOD
        period = np.sin(2 * np.pi * phase) if signal == "sine" else 2 * phase - 1
        waves = np.stack([period[(np.arange(T + 1) + k) % PERIOD] for k in range(PERIOD)], 1)  # (T + 1, 12)
        likelihood = -((x[:first, :, None] - waves[:first, None]) ** 2).sum(
            0
        )  # what it saw before the first scored step
        errors = (y[first:] - waves[first + 1 :, likelihood.argmax(1)]) ** 2
    assert agrees(errors, SIGMA**2)
    assert FORECAST.solved(T, signal).value == pytest.approx(1.05 * SIGMA**2)
    assert errors.mean() < FORECAST.solved(T, signal).value

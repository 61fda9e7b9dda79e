import numpy as np
import pytest

from rnnviz.tasks import SIGNALS, TASKS, Setup

FORECAST = TASKS["forecast"]
PHI, SIGMA, PERIOD = (1.6, -0.8), 0.1, 12
AHEAD = (1, 3, 12)


def series(signal: str, batch: int, length: int, seed: int = 0, ahead: int = 1) -> np.ndarray:
    """(length + ahead, batch) float64, the whole stretch behind inputs and targets."""
    drawn = FORECAST.sample(np.random.default_rng(seed), batch, Setup(length, signal=signal, horizon=ahead))
    return np.concatenate([drawn.inputs[..., 0], drawn.targets[-ahead:, :, 0]]).astype(np.float64)


def period_of(signal: str) -> np.ndarray:
    phase = np.arange(PERIOD) / PERIOD
    return np.sin(2 * np.pi * phase) if signal == "sine" else 2 * phase - 1


def agrees(sample: np.ndarray, expected: float) -> bool:
    """The mean over independent sequences (axis 1) is within four standard errors of what was promised."""
    each = sample.mean(0)
    return bool(abs(each.mean() - expected) < 4 * each.std(ddof=1) / np.sqrt(len(each)))


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("ahead", AHEAD)
def test_the_target_is_the_input_that_many_steps_later(signal: str, ahead: int) -> None:
    for length in (8, 30):
        batch = FORECAST.sample(np.random.default_rng(3), 4, Setup(length, signal=signal, horizon=ahead))
        assert batch.inputs.shape == batch.targets.shape == (length, 4, 1)
        np.testing.assert_array_equal(batch.targets[:-ahead], batch.inputs[ahead:])


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("ahead", AHEAD)
def test_guessing_no_change_scores_the_declared_baseline(signal: str, ahead: int) -> None:
    whole = series(signal, 20_000, 36, ahead=ahead)
    baseline = FORECAST.baseline(Setup(36, signal=signal, horizon=ahead))
    assert baseline.name == "guessing no change"
    assert agrees((whole[ahead:] - whole[:-ahead]) ** 2, baseline.value)


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


@pytest.mark.parametrize("signal", ["sine", "sawtooth"])
def test_a_wave_is_one_period_at_a_random_phase_in_white_noise(signal: str) -> None:
    x = series(signal, 3000, 47)  # four whole periods
    candidates = np.stack([np.tile(np.roll(period_of(signal), -k), 4) for k in range(PERIOD)])  # (12, 48)
    errors = ((x.T[:, None] - candidates) ** 2).mean(2)  # (3000, 12)
    starts = errors.argmin(1)
    noise = x - candidates[starts].T
    assert agrees(noise**2, SIGMA**2)
    assert agrees(noise, 0)
    assert agrees(noise[1:] * noise[:-1], 0)
    assert abs(np.bincount(starts, minlength=PERIOD) / 250 - 1).max() < 0.3


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("ahead", AHEAD)
def test_a_perfect_forecaster_is_left_with_the_best_error_on_the_scored_steps_and_counts_as_solved(
    signal: str, ahead: int
) -> None:
    T, setup = 50, Setup(50, signal=signal, horizon=ahead)
    batch = FORECAST.sample(np.random.default_rng(7), 4000, setup)
    x, y = batch.inputs[..., 0].astype(np.float64), batch.targets[..., 0].astype(np.float64)
    assert batch.scored is not None
    first = FORECAST.scored_from(setup)
    np.testing.assert_array_equal(batch.scored, np.arange(T)[:, None].repeat(4000, 1) >= first)
    if signal == "ar2":
        assert first == 1, "the second value is the first that has two behind it"
        before, best = x[:-1], x[1:]
        for _ in range(ahead):  # the recursion with every innovation to come at its mean, 0
            before, best = best, PHI[0] * best + PHI[1] * before
        errors = (y[1:] - best) ** 2
    else:
        assert first == T // 2
        # (T + ahead, 12), and how well each explains what was seen before the first scored step
        waves = np.stack([period_of(signal)[(np.arange(T + ahead) + k) % PERIOD] for k in range(PERIOD)], 1)
        likelihood = -((x[:first, :, None] - waves[:first, None]) ** 2).sum(0)
        errors = (y[first:] - waves[first + ahead :, likelihood.argmax(1)]) ** 2
    solved = FORECAST.solved(setup)
    assert agrees(errors, solved.value / 1.05)
    assert errors.mean() < solved.value
    if ahead == 1 or signal != "ar2":
        assert solved.value == pytest.approx(1.05 * SIGMA**2)


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_best_error_lies_below_the_baseline_at_every_horizon_on_offer(signal: str) -> None:
    setups = [Setup(50, signal=signal, horizon=ahead) for ahead in range(1, 13)]
    assert all(FORECAST.solved(setup).value < 0.9 * FORECAST.baseline(setup).value for setup in setups)


def test_the_best_error_tends_to_the_variance_of_the_process() -> None:
    p1, p2 = PHI
    variance = np.linalg.solve([[1, -p1, -p2], [-p1, 1 - p2, 0], [-p2, -p1, 1]], [SIGMA**2, 0, 0])[0]
    assert FORECAST.solved(Setup(50, horizon=500)).value == pytest.approx(1.05 * variance)


def test_a_description_lists_the_values_and_the_last_forecast() -> None:
    values, wanted = np.array([[0.1], [-0.25]], np.float32), np.array([[-0.25], [0.5]], np.float32)
    assert FORECAST.describe(values, wanted) == "0.10, -0.25 → 0.50"

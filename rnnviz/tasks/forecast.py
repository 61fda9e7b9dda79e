"""One-step forecasting of a noisy signal: what comes next, given all that came before?"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick

SIGNALS = ("ar2", "sine", "sawtooth")
PHI = (1.6, -0.8)
SIGMA = 0.1  # standard deviation of the innovation (ar2) or of the observation noise (waves)
PERIOD = 12  # steps


@lru_cache(maxsize=8)
def _covariance_root(length: int) -> np.ndarray:
    """Lower-triangular L (length, length) with L L^T the covariance of a stationary AR(2) stretch.

    One product with it draws whole sequences at once, stationary from the very first value. float32.
    """
    phi1, phi2 = PHI
    gamma = np.empty(max(length, 2))
    gamma[0] = (1 - phi2) * SIGMA**2 / ((1 + phi2) * ((1 - phi2) ** 2 - phi1**2))
    gamma[1] = gamma[0] * phi1 / (1 - phi2)
    for lag in range(2, length):
        gamma[lag] = phi1 * gamma[lag - 1] + phi2 * gamma[lag - 2]
    lags = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
    return np.linalg.cholesky(gamma[lags]).astype(np.float32)


@lru_cache(maxsize=8)
def _wave(signal: str) -> np.ndarray:
    """One period, (PERIOD,) float32, amplitude 1."""
    phase = np.arange(PERIOD) / PERIOD
    return (np.sin(2 * np.pi * phase) if signal == "sine" else 2 * phase - 1).astype(np.float32)


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """x_1..x_T in, x_2..x_{T+1} out. `signal` is one of SIGNALS; waves start at a random step of their period."""
    length, signal = setup.length, setup.signal
    noise = rng.standard_normal((length + 1, batch_size), np.float32)
    if signal == "ar2":
        series = _covariance_root(length + 1) @ noise
    else:
        start = rng.integers(0, PERIOD, batch_size)
        series = _wave(signal)[(np.arange(length + 1)[:, None] + start) % PERIOD] + np.float32(SIGMA) * noise
    scored = np.zeros((length, batch_size), bool)
    # Before this step even a perfect forecaster lacks what it needs, so those answers are not scored.
    scored[1 if signal == "ar2" else length // 2 :] = True
    return Batch(series[:-1, :, None], series[1:, :, None], scored=scored)  # (T, B, 1) both


def _baseline(setup: Setup) -> Yardstick:
    """Persistence, the forecast that tomorrow equals today: E (x_{t+1} - x_t)^2 in closed form."""
    if setup.signal == "ar2":
        phi1, phi2 = PHI
        gamma_0 = (1 - phi2) * SIGMA**2 / ((1 + phi2) * ((1 - phi2) ** 2 - phi1**2))
        error = 2 * gamma_0 * (1 - phi1 / (1 - phi2))
    else:
        wave = _wave(setup.signal).astype(np.float64)
        error = float(np.mean((np.roll(wave, -1) - wave) ** 2)) + 2 * SIGMA**2
    return Yardstick(float(error), "guessing no change", "loss")


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """"-.13, .05, .21, ... -> next .33"."""
    return f"{', '.join(f'{value:.2f}' for value in inputs[:, 0])} → next {float(target[-1, 0]):.2f}"


FORECAST = Task(
    name="forecast",
    title="Forecast a noisy signal",
    verb="forecast a noisy signal",
    explanation="At every step the network must say the next value. The best possible error is the variance of the noise; "
    "to reach it, it has to remember the values before.",
    citation="Yule 1927 for the AR(2) process",
    input_names=("value",),
    output_names=("next value",),
    answers="every",
    loss="mse",
    sample=sample,
    baseline=_baseline,
    solved=lambda setup: Yardstick(1.05 * SIGMA**2, "solved: noise + 5 %", "loss"),
    describe=describe,
    shortest=8,
    options=("signal",),
    leaks=True,
    picture="wave",
)

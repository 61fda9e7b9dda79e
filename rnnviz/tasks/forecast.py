"""Forecasting a noisy signal: what comes some steps ahead, given all that came before?"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick

SIGNALS = ("ar2", "sine", "sawtooth")
PHI = (1.6, -0.8)
SIGMA = 0.1  # standard deviation of the innovation (ar2) or of the observation noise (waves)
PERIOD = 12  # steps


def _autocovariances(lags: int) -> np.ndarray:
    """(lags,) of the stationary AR(2) process at lags 0, 1, ..., by the Yule-Walker equations."""
    phi1, phi2 = PHI
    gamma = np.empty(max(lags, 2))
    gamma[0] = (1 - phi2) * SIGMA**2 / ((1 + phi2) * ((1 - phi2) ** 2 - phi1**2))
    gamma[1] = gamma[0] * phi1 / (1 - phi2)
    for lag in range(2, lags):
        gamma[lag] = phi1 * gamma[lag - 1] + phi2 * gamma[lag - 2]
    return gamma


@lru_cache(maxsize=8)
def _covariance_root(length: int) -> np.ndarray:
    """Lower-triangular L (length, length) with L L^T the covariance of a stationary AR(2) stretch.

    One product with it draws whole sequences at once, stationary from the very first value. float32.
    """
    lags = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
    return np.linalg.cholesky(_autocovariances(length)[lags]).astype(np.float32)


@lru_cache(maxsize=8)
def _wave(signal: str) -> np.ndarray:
    """One period, (PERIOD,) float32, amplitude 1."""
    phase = np.arange(PERIOD) / PERIOD
    return (np.sin(2 * np.pi * phase) if signal == "sine" else 2 * phase - 1).astype(np.float32)


def _first_scored(setup: Setup) -> int:
    """Before this step (0-based) even a perfect forecaster lacks what it needs: two values, or a view of the wave."""
    return 1 if setup.signal == "ar2" else setup.length // 2


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """x_1..x_T in, x_{1+h}..x_{T+h} out, h the horizon. Waves start at a random step of their period."""
    length, signal, ahead = setup.length, setup.signal, setup.horizon
    noise = rng.standard_normal((length + ahead, batch_size), np.float32)
    if signal == "ar2":
        series = _covariance_root(length + ahead) @ noise
    else:
        start = rng.integers(0, PERIOD, batch_size)
        series = _wave(signal)[(np.arange(length + ahead)[:, None] + start) % PERIOD] + np.float32(SIGMA) * noise
    scored = np.zeros((length, batch_size), bool)
    scored[_first_scored(setup) :] = True
    return Batch(series[:length, :, None], series[ahead:, :, None], scored=scored)  # (T, B, 1) both


def _baseline(setup: Setup) -> Yardstick:
    """Persistence, the forecast that nothing changes: E (x_{t+h} - x_t)^2 in closed form."""
    ahead = setup.horizon
    if setup.signal == "ar2":
        gamma = _autocovariances(ahead + 1)
        error = 2 * float(gamma[0] - gamma[ahead])
    else:
        wave = _wave(setup.signal).astype(np.float64)
        error = float(np.mean((np.roll(wave, -ahead) - wave) ** 2)) + 2 * SIGMA**2
    return Yardstick(error, "guessing no change", "loss")


def best_error(setup: Setup) -> float:
    """The mean squared error of a perfect forecaster, which only the noise of the steps between can surprise.

    A wave's noise is observed once, at the step forecast. An AR(2) process goes on from every innovation between: the one
    j steps before the step forecast returns there psi_j times its size, psi_j = phi_1 psi_{j-1} + phi_2 psi_{j-2} (Box &
    Jenkins 1970).
    """
    if setup.signal != "ar2":
        return SIGMA**2
    error, psi, before = 0.0, 1.0, 0.0
    for _ in range(setup.horizon):
        error += SIGMA**2 * psi**2
        psi, before = PHI[0] * psi + PHI[1] * before, psi
    return error


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """ "-.13, .05, .21, ... -> .33", the last forecast wanted."""
    return f"{', '.join(f'{value:.2f}' for value in inputs[:, 0])} → {float(target[-1, 0]):.2f}"


FORECAST = Task(
    name="forecast",
    title="Forecast a noisy signal",
    verb="forecast a noisy signal",
    explanation="At every step the network must say a value yet to come: the next one, or one further ahead. Noise leaves "
    "an error that nobody can avoid; to get down to it, the network has to remember the values before.",
    citation="Yule 1927 for the AR(2) process",
    input_names=("value",),
    output_names=("forecast",),
    answers="every",
    loss="mse",
    sample=sample,
    baseline=_baseline,
    solved=lambda setup: Yardstick(1.05 * best_error(setup), "solved: noise + 5 %", "loss"),
    describe=describe,
    shortest=8,
    options=("signal", "horizon"),
    leaks=True,
    scored_from=_first_scored,
    picture="wave",
)

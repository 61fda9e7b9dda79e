"""One network looked at without training it: how a small change of its state fares over time lag, and what theory says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import torch

from rnnviz.analysis.decay import STEEPEST, bounds
from rnnviz.analysis.dynamics import Dynamics
from rnnviz.analysis.gradients import StepShares, step_shares
from rnnviz.analysis.products import singular_values
from rnnviz.analysis.spectra import spectral_norm, spectral_radius
from rnnviz.arithmetic import one_thread
from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.experiment import SETTINGS, Experiment
from rnnviz.tracing import trace
from rnnviz.training import Checkpoint, start

MOST_LANES = 4
EVERY_LAG = 12  # up to here each lag is measured; beyond, no picture is fine enough to show them all
LAGS = 40
QUOTED = 50  # what is left after so many steps is said in words
MOST_SAMPLES = 5  # odd: their median is one of them
WORK = 2.5e8  # multiplications in the products of one lane, which take most of its time
AUTOGRAD = 6  # how much dearer a step is where a Jacobian takes a way back for each unit
SETTLED = 4  # lags at which a curve does not yet fall as it does later


@dataclass(frozen=True)
class Lane:
    """One line of the comparison: a network as it starts.

    Attributes:
        cell, initialisation, activation: as in `Experiment`.
        rho: the spectral radius that every recurrent block is rescaled to; None leaves it as it was drawn.
        bias: added to the initial bias of the gate that keeps or overwrites the state, where the cell has one.
    """

    cell: str = "rnn"
    initialisation: str = "default"
    activation: str = "tanh"
    rho: float | None = None
    bias: float = 0.0

    def experiment(self, hidden_size: int, length: int, seed: int) -> Experiment:
        """The network as an experiment on adding, whose own choice of a spectral radius `rho` overrules.

        Raises:
            ExperimentError: if the cell cannot start like this, or a number is out of bounds.
        """
        biases = dict.fromkeys(CELLS[self.cell].bias_fields, self.bias) if self.cell in CELLS else {}
        return Experiment(
            cell=self.cell,
            initialisation=self.initialisation,
            activation=self.activation,
            hidden_size=hidden_size,
            length=length,
            seed=seed,
            **({"forget_bias": 0.0} | biases),
        )

    def checkpoint(self, hidden_size: int, length: int, seed: int) -> Checkpoint:
        """The untrained network.

        Raises:
            ExperimentError: see `experiment`.
            RnnvizError: if `rho` is out of bounds.
        """
        first = start(self.experiment(hidden_size, length, seed))
        if self.rho is None:
            return first
        setting = SETTINGS["spectral_radius"]
        if not setting.lowest <= self.rho <= setting.highest:
            raise RnnvizError(f"`rho` must be between {setting.lowest:g} and {setting.highest:g}. Got {self.rho:g}.")
        parameters = first.parameters.copy()
        weights = replace(first, parameters=parameters).weights  # views into the copy
        for W in recurrent_blocks(weights.get("0.W_hh")):
            if radius := spectral_radius(W):
                W *= self.rho / radius
        parameters.flags.writeable = False
        return replace(first, parameters=parameters)


def recurrent_blocks(W_hh: np.ndarray | None) -> list[np.ndarray]:
    """The (H, H) recurrent matrices of a layer, one for each block that has one; views. Empty for a cell without any."""
    return [] if W_hh is None else list(W_hh.reshape(-1, W_hh.shape[1], W_hh.shape[1]))


@dataclass(frozen=True)
class Theory:
    """A line that theory draws beside a measured one: log10, at the same lags.

    Attributes:
        name: in words.
        symbol: short, for the end of the line.
        log10: (K,).
    """

    name: str
    symbol: str
    log10: np.ndarray


@dataclass(frozen=True)
class Decay:
    """How a small change of the state fares over time lag. Arrays that have B hold one number for each input sequence.

    The state s is h, or (h, c) and the like: all that one step hands to the next.

    Attributes:
        lags: (K,) k, in steps, the first 0 and the last T.
        log10_norms: (K, B) log10 ||ds_T/ds_{T-k}||_2, the true spectral norm of the product, at most every lag.
        log10_singular: (K, n) log10 of all singular values, largest first, for the first sequence; NaN where they lie below
            the rounding error of the largest.
        eigenvalues: (B, n) of the last step's Jacobian ds_T/ds_{T-1}.
        weights: (G, H) eigenvalues of each recurrent block; (0, H) for a cell without recurrent matrices.
        rho, sigma: (G,) spectral radius and spectral norm of each recurrent block.
        step_rho, step_sigma: medians over sequences of those of the last step's Jacobian.
        kept: (T, B, H) the gate that keeps, f or z; None if the cell has none.
        theory: what closed forms and bounds say about it.
    """

    lags: np.ndarray
    log10_norms: np.ndarray
    log10_singular: np.ndarray
    eigenvalues: np.ndarray
    weights: np.ndarray
    rho: np.ndarray
    sigma: np.ndarray
    step_rho: float
    step_sigma: float
    kept: np.ndarray | None
    theory: tuple[Theory, ...]

    @property
    def median(self) -> np.ndarray:
        """(K,) over sequences."""
        found: np.ndarray = np.median(self.log10_norms, 1)
        return found

    @property
    def per_step(self) -> float:
        """The factor by which the median changes with each step back: the slope of a line through it; NaN if it is zero."""
        settled = (self.lags >= min(SETTLED, self.lags[-1] // 2)) & np.isfinite(self.median)
        if settled.sum() < 2:
            return float("nan")
        return float(10.0 ** np.polyfit(self.lags[settled], self.median[settled], 1)[0])

    def at(self, lag: int) -> float:
        """log10 of the median norm at a lag, between measured ones by interpolation."""
        found = np.isfinite(self.median)
        return float(np.interp(lag, self.lags[found], self.median[found])) if found.all() else float("-inf")


def chosen_lags(T: int) -> np.ndarray:
    """(K,) the lags worth measuring: every one at first, evenly spread ones beyond; 0, T and the lag quoted included."""
    near = np.arange(min(T, EVERY_LAG) + 1)
    far = np.round(np.linspace(min(T, EVERY_LAG), T, LAGS - EVERY_LAG + 1)).astype(int)
    return np.unique(np.concatenate([near, far, [min(T, QUOTED)]]))


def sample_count(T: int, n: int) -> int:
    """How many input sequences answer at once: 5, fewer where many steps of many units would take long."""
    return int(np.clip(WORK / (T * n**3), 1, MOST_SAMPLES))


def noise_inputs(T: int, samples: int, channels: int, scale: float, seed: int) -> np.ndarray:
    """(T, B, I) independent normal numbers with standard deviation `scale`; the same ones, scaled, for every scale."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, T))))
    found: np.ndarray = scale * rng.standard_normal((samples, T, channels)).swapaxes(0, 1)
    return found


@lru_cache(maxsize=128)
def lane_decay(lane: Lane, hidden_size: int, T: int, input_scale: float, seed: int) -> Decay:
    """Everything about one lane, on normal noise as input. Kept by content: moving one slider recomputes one lane.

    Raises:
        RnnvizError: if the cell cannot start like this, or a number is out of bounds.
    """
    dynamics = Dynamics.of(lane.checkpoint(hidden_size, T, seed))
    samples = sample_count(T if dynamics.unit_by_unit else T * AUTOGRAD, dynamics.size)
    x = noise_inputs(T, samples, dynamics.input_size, input_scale, seed)
    return decay(dynamics, x)


@one_thread()
def decay(source: Checkpoint | Dynamics, inputs: np.ndarray) -> Decay:
    """Measure a network along inputs (T, B, I), from the zero state. Float64.

    The same numbers as `log10_norms(jacobian_products(...))`, without keeping every product: only those at `chosen_lags`.

    Raises:
        RnnvizError: if the network also reads backwards, or a shape does not fit.
    """
    dynamics = Dynamics.of(source)
    x = dynamics.checked_inputs(inputs)
    T, B, I = x.shape
    n, lags = dynamics.size, chosen_lags(T)
    states = torch.from_numpy(dynamics.run(inputs))
    products = np.empty((len(lags), B, n, n))
    scales = np.zeros((len(lags), B))
    products[0] = np.eye(n)
    product, scale, last = products[0], scales[0], np.empty(0)
    block = max(1, dynamics.block // B)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for end in range(T, 0, -block):
            first = max(0, end - block)
            _, slopes = dynamics.linearised(states[first:end].reshape(-1, n), x[first:end].reshape(-1, I))
            J = slopes.numpy().reshape(end - first, B, n, n)
            if not last.size:
                last = J[-1].copy()
            for t in range(end - 1, first - 1, -1):
                # A matrix of size 1 and the power of ten it was divided by: a thousand steps neither vanish nor overflow.
                product = product @ J[t - first]
                size = np.abs(product).max((1, 2))
                scale = scale + np.log10(size)
                product /= np.where(size > 0, size, 1)[:, None, None]
                if (place := np.searchsorted(lags, T - t)) < len(lags) and lags[place] == T - t:
                    products[place], scales[place] = product, scale
    with np.errstate(divide="ignore", invalid="ignore"):
        singular = np.log10(singular_values(products))  # (K, B, n)
    norms = singular[..., 0] + scales
    values = np.where(singular[:, 0] < singular[:, 0, :1] - 15, np.nan, singular[:, 0]) + scales[:, :1]
    finite = np.isfinite(last).all((1, 2))
    eigenvalues = np.full((B, n), np.nan, complex)
    eigenvalues[finite] = np.linalg.eigvals(last[finite])
    blocks = recurrent_blocks(dynamics.layers[0]["W_hh"].numpy()) if "W_hh" in dynamics.layers[0] else []
    H = dynamics.hidden_size
    kept = kept_gate(dynamics, states[:-1], x)
    return Decay(
        lags=lags,
        log10_norms=norms,
        log10_singular=values,
        eigenvalues=eigenvalues,
        weights=np.array([np.linalg.eigvals(W) for W in blocks]).reshape(-1, H),
        rho=np.array([spectral_radius(W) for W in blocks]),
        sigma=np.array([spectral_norm(W) for W in blocks]),
        step_rho=float(np.median(np.abs(eigenvalues).max(1))),
        step_sigma=float(np.median(singular_values(last)[:, 0])),
        kept=kept,
        theory=_theory(dynamics, blocks, kept, lags),
    )


def kept_gate(dynamics: Dynamics, states: torch.Tensor, x: torch.Tensor) -> np.ndarray | None:
    """(T, B, H) how much of the old state the bottom layer's gate keeps, f or z, along s_{t-1} (T, B, n) and x_t (T, B, I).

    None for a cell without such a gate.
    """
    cell, (T, B, I) = dynamics.cell, x.shape
    if not cell.keepers:
        return None
    pieces = states.reshape(T * B, -1).split(dynamics.hidden_size, 1)
    before = dict(zip(cell.carried, pieces, strict=False))
    with torch.no_grad():
        gates = cell.step(x.reshape(T * B, I), before, dynamics.layers[0], dynamics.activation).gates
    keeping = [block for block, sign in cell.keepers.items() if sign > 0]
    f = gates[keeping[0]] if keeping else 1 - gates[next(iter(cell.keepers))]
    return f.reshape(T, B, -1).numpy()


def _theory(
    dynamics: Dynamics, blocks: list[np.ndarray], kept: np.ndarray | None, lags: np.ndarray
) -> tuple[Theory, ...]:
    if kept is not None:
        symbol = (
            "f" if "forget" in dynamics.cell.keepers else "z" if dynamics.cell.keepers.get("update") == 1 else "(1 − z)"
        )
        with np.errstate(divide="ignore"):
            path = np.cumsum(np.log10(kept[::-1]), 0).max(
                2
            )  # (T, B), the unit that keeps most: a diagonal's spectral norm
        line = np.concatenate([[0.0], np.median(path, 1)])[lags]
        return (Theory(f"the gate's direct path alone: the product of {symbol}, strongest unit", f"∏{symbol}", line),)
    if dynamics.cell.name != "rnn" or len(dynamics.layers) > 1 or not blocks:
        return ()
    found = bounds(blocks[0], int(lags[-1]), dynamics.activation)
    slope = "" if STEEPEST[dynamics.activation] == 1 else "¼"
    return (
        Theory(
            "no product can lie above: σ₁, the spectral norm, to the power of the lag",
            f"({slope}σ₁)ᵏ",
            found.ceiling[lags],
        ),
        Theory(
            "where a linear network goes in the long run: ρ, the spectral radius", f"({slope}ρ)ᵏ", found.trend[lags]
        ),
    )


@dataclass(frozen=True)
class Payment:
    """Who pays for a step of training: the gradient of one weight matrix by time step, in full and truncated.

    Attributes:
        of: the matrix, "W_hh", or "W_ih" for a cell without it.
        full: without truncation.
        cut: with it; the same where there is none.
    """

    of: str
    full: StepShares
    cut: StepShares

    @property
    def alignment(self) -> float:
        """The cosine of the angle between the truncated and the full gradient; NaN if one is zero."""
        sizes = np.linalg.norm(self.full.total) * np.linalg.norm(self.cut.total)
        return float((self.full.total * self.cut.total).sum() / sizes) if sizes else float("nan")

    @property
    def size(self) -> float:
        """The length of the truncated gradient in units of the full one; NaN if that is zero."""
        whole = np.linalg.norm(self.full.total)
        return float(np.linalg.norm(self.cut.total) / whole) if whole else float("nan")


def payment(checkpoint: Checkpoint, window: int) -> Payment:
    """Of any network, on the probe batch of its task; `window` as `Experiment.bptt_window`, 0 for none.

    Raises:
        RnnvizError: if the window is out of bounds, or the cell has no weight matrix.
    """
    of: Literal["W_hh", "W_ih"] = "W_hh" if "W_hh" in CELLS[checkpoint.experiment.cell].shapes(1, 1) else "W_ih"
    found = [
        step_shares(trace(replace(checkpoint, experiment=checkpoint.experiment.amend(bptt_window=size))), of)
        for size in {0: None, window: None}
    ]
    return Payment(of, found[0], found[-1])


@lru_cache(maxsize=64)
def lane_payment(lane: Lane, hidden_size: int, T: int, seed: int, window: int) -> Payment:
    """`payment` of an untrained lane on the adding task with T steps."""
    return payment(lane.checkpoint(hidden_size, T, seed), window)

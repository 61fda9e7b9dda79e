"""Trajectories of many units, seen from the direction in which they spread most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnnviz.analysis.layers import inside
from rnnviz.arithmetic import one_thread
from rnnviz.errors import RnnvizError
from rnnviz.tracing import Trace


@dataclass(frozen=True)
class Projection:
    """Principal axes, fitted once over everything given, so that no axis turns or flips from one frame to the next.

    Attributes:
        mean: (n,) of all states.
        axes: (k, n) orthonormal, most variance first; the largest entry of each is positive.
        explained: (k,) the share of each in the total variance; zero throughout if nothing varies.
        scores: for each of the given items, (..., k) its states along the axes.

    After `toward` they are principal axes no longer: they span the same, but stand in another way.
    """

    mean: np.ndarray
    axes: np.ndarray
    explained: np.ndarray
    scores: list[np.ndarray]

    def transform(self, states: np.ndarray) -> np.ndarray:
        """(..., n) states -> (..., k) along these axes, without fitting anything anew."""
        found: np.ndarray = (np.asarray(states, np.float64) - self.mean) @ self.axes.T
        return found

    def reconstruct(self, scores: np.ndarray) -> np.ndarray:
        """(..., k) -> (..., n): the states again, exactly if all axes were kept."""
        found: np.ndarray = np.asarray(scores, np.float64) @ self.axes + self.mean
        return found

    def toward(self, near: np.ndarray) -> Projection:
        """The same span, its axes turned within it as close as they come to `near` (k, n): orthogonal Procrustes.

        What was fitted anew to a few more states then continues what was seen before, without a spin or a flip
        (Schoenemann 1966). `explained` is each turned axis' own share; the sum stays.

        Raises:
            RnnvizError: if the shapes differ.
        """
        if np.shape(near) != self.axes.shape:
            raise RnnvizError(f"`near` must have the shape of the axes, {self.axes.shape}. Got {np.shape(near)}.")
        U, _, V = np.linalg.svd(np.asarray(near, np.float64) @ self.axes.T)
        turn = U @ V
        return Projection(
            self.mean, turn @ self.axes, np.square(turn) @ self.explained, [scores @ turn.T for scores in self.scores]
        )


@one_thread()
def project(
    frames: Trace | np.ndarray | Sequence[Trace | np.ndarray], components: int | None = 3, *, state: str = "h"
) -> Projection:
    """Principal component analysis of states, over all samples, steps and frames at once (Pearson 1901).

    Args:
        frames: traces, or arrays (..., n), or a list of either; of traces the padding is left out of the fit.
        components: k; None for all n.
        state: which state of a trace's top layer.

    Raises:
        RnnvizError: if there are no states, their widths differ, or there are fewer than k axes.
    """
    given = [frames] if isinstance(frames, Trace | np.ndarray) else list(frames)
    if not given:
        raise RnnvizError("`frames` must hold at least one trace or array of states. Got none.")
    items, counted = [], []
    for item in given:
        if isinstance(item, Trace):
            if state not in item.states:
                raise RnnvizError(f"`state` must be one of {', '.join(item.states)}. Got {state!r}.")
            items.append(item.states[state])
            counted.append(items[-1][inside(item)])
        else:
            items.append(np.asarray(item, np.float64))
            counted.append(items[-1].reshape(-1, items[-1].shape[-1] if items[-1].ndim else 0))
    widths = {item.shape[-1] for item in counted}
    if len(widths) != 1:
        raise RnnvizError(f"All states must have the same number of units. Got {sorted(widths)}.")
    n = widths.pop()
    k = n if components is None else components
    if not 1 <= k <= n:
        raise RnnvizError(f"`components` must be from 1 to {n}, the number of units. Got {components}.")
    cloud = np.concatenate(counted)
    mean = cloud.mean(0)
    # The triangle of a QR decomposition has the same singular values and axes, and only n rows.
    _, spread, axes = np.linalg.svd(np.linalg.qr(np.vstack([cloud - mean, np.zeros((n, n))]), "r"))
    axes *= np.sign(np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1))
    variance = np.square(spread)
    explained = variance / variance.sum() if variance.sum() > 0 else np.zeros(n)
    found = Projection(mean, axes[:k], explained[:k], [])
    return Projection(mean, axes[:k], explained[:k], [found.transform(item) for item in items])

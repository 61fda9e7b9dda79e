"""The 3-bit flip-flop: every channel remembers the sign of its own last pulse."""

from __future__ import annotations

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick

BITS = 3


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """Pulses of +1 or -1 come to each bit with probability 1/gap a step, and to all bits at the first step.

    So there is a last pulse to remember from the start. The target is +1 or -1 at every step.
    """
    draws = rng.integers(0, 2 * setup.gap, (setup.length, batch_size, BITS), np.uint16)  # below 2: a pulse
    pulses = draws < 2
    pulses[0] = True
    # Whether a pulse turns the bit round is a fair coin, so its sign is one too; a running XOR then needs no search.
    bits = np.bitwise_xor.accumulate((draws & 1) & pulses, 0)
    targets = (2 * bits.astype(np.float32)) - 1  # (T, B, 3)
    return Batch(targets * pulses, targets)


def _baseline(setup: Setup) -> Yardstick:
    """Without memory: the pulse where there is one, else the mean, 0. The error is 1 wherever no pulse is seen.

    That is a fraction 1 - 1/gap of the steps after the first; "always 0" would score exactly 1.
    """
    error = (1 - 1 / setup.gap) * (setup.length - 1) / setup.length
    return Yardstick(error, "repeating the pulses", "loss")


def _misfit(setup: Setup) -> tuple[str, str] | None:
    """With a pulse at every step there is nothing to remember."""
    return ("gap", f"`gap` must be at least 2 for the task flip_flop. Got {setup.gap}.") if setup.gap < 2 else None


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """Such as "last pulses +, −, −, seen 0, 7, 3 steps ago"."""
    ago = [len(inputs) - 1 - int(np.flatnonzero(channel)[-1]) for channel in inputs.T]
    signs = ", ".join("+" if value > 0 else "−" for value in target[-1])
    return f"last pulses {signs}, seen {', '.join(map(str, ago))} steps ago"


FLIP_FLOP = Task(
    name="flip_flop",
    title="Remember three bits",
    verb="remember three bits",
    explanation="Each of three channels now and then gets a pulse up or down, and its output must stay up or down until the "
    "next pulse. A network that can do it has eight stable states, one for each setting of the three bits.",
    citation="Sussillo & Barak 2013",
    input_names=("pulse 1", "pulse 2", "pulse 3"),
    output_names=("bit 1", "bit 2", "bit 3"),
    answers="every",
    loss="mse",
    sample=sample,
    baseline=_baseline,
    solved=lambda setup: Yardstick(0.005, "solved", "loss"),
    describe=describe,
    shortest=4,
    options=("gap",),
    misfit=_misfit,
    picture="wave",
)

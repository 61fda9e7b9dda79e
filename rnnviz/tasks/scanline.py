"""Hand-drawn digits, read one row of pixels at a time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick

DIGITS = tuple("0123456789")
COLUMNS = 12
ROWS = 64  # of the drawings kept; fewer are read by leaving rows out, evenly
DRAWINGS = 250  # of each digit, all different
SHADES = " .:-=+*#%@"


def _arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> list[tuple[float, float]]:
    """Points on an ellipse; angles in degrees, clockwise from the right as y points down."""
    angles = np.radians(np.linspace(start, end, 13))
    return list(zip(x + rx * np.cos(angles), y + ry * np.sin(angles), strict=True))


def _strokes() -> list[list[list[tuple[float, float]]]]:
    """For each digit its strokes, each a list of points (x, y) in the unit square, y downwards."""
    six = [*_arc(0.72, 0.68, 0.56, 0.62, 260, 180), *_arc(0.5, 0.69, 0.34, 0.26, 180, 540)]
    return [
        [_arc(0.5, 0.5, 0.34, 0.45, 0, 360)],
        [[(0.26, 0.26), (0.54, 0.05), (0.54, 0.95)]],
        [[*_arc(0.5, 0.31, 0.33, 0.26, 190, 390), (0.14, 0.95), (0.88, 0.95)]],
        [[*_arc(0.46, 0.27, 0.33, 0.22, 205, 450), *_arc(0.46, 0.72, 0.37, 0.23, 270, 515)]],
        [[(0.66, 0.95), (0.66, 0.05), (0.1, 0.68), (0.9, 0.68)]],
        [[(0.82, 0.05), (0.26, 0.05), (0.21, 0.45), *_arc(0.47, 0.66, 0.35, 0.29, 225, 510)]],
        [six],
        [[(0.12, 0.05), (0.88, 0.05), (0.4, 0.95)]],
        [_arc(0.5, 0.27, 0.28, 0.22, 0, 360), _arc(0.5, 0.72, 0.35, 0.23, 0, 360)],
        [[(1 - x, 1 - y) for x, y in six]],
    ]


@lru_cache(maxsize=1)
def _drawings() -> np.ndarray:
    """(ROWS, 10 * DRAWINGS, COLUMNS) float32 in [0, 1], all drawings of 0 first, then those of 1, ...

    Each digit's strokes are turned once into a map of distances to the nearest stroke; a drawing is a sheared, scaled and
    shifted look at that map, dark up to the width of its pen.
    """
    fine, margin = 128, 0.4  # the map's resolution, and how far it reaches beyond the unit square
    reach = np.linspace(-margin, 1 + margin, fine, dtype=np.float32)
    grid = np.stack(np.meshgrid(reach, reach), -1).reshape(-1, 1, 2)  # (fine * fine, 1, 2) as (x, y), rows first
    maps = np.empty((len(DIGITS), fine * fine), np.float32)
    for digit, strokes in enumerate(_strokes()):
        segments = np.concatenate([np.stack([stroke[:-1], stroke[1:]], 1) for stroke in strokes]).astype(np.float32)
        start, along = segments[:, 0], segments[:, 1] - segments[:, 0]  # (segments, 2)
        squared = np.maximum((along**2).sum(1), 1e-12)
        nearest = np.clip(((grid - start) * along).sum(2) / squared, 0, 1)[..., None] * along + start
        maps[digit] = np.sqrt(((grid - nearest) ** 2).sum(2).min(1))

    rng, count = np.random.default_rng(0), len(DIGITS) * DRAWINGS
    width, height = rng.uniform(0.6, 0.8, count), rng.uniform(0.7, 0.9, count)
    right, down = rng.uniform(-0.08, 0.08, (2, count))
    shear, pen = rng.uniform(-0.3, 0.3, count), rng.uniform(0.05, 0.1, count)
    y = ((np.arange(ROWS)[:, None] + 0.5) / ROWS - 0.5 - down) / height  # (ROWS, count), from the digit's middle
    x = ((np.arange(COLUMNS) + 0.5) / COLUMNS - 0.5 - right[:, None]) / width[:, None]  # (count, COLUMNS)
    x = x + (shear * y)[..., None]  # (ROWS, count, COLUMNS)

    def cell(place: np.ndarray) -> np.ndarray:
        return np.clip((place + 0.5 + margin) / (1 + 2 * margin) * (fine - 1) + 0.5, 0, fine - 1).astype(np.int64)

    whose = np.repeat(np.arange(len(DIGITS)), DRAWINGS)
    distance = maps.ravel().take(whose[:, None] * fine**2 + cell(y)[..., None] * fine + cell(x))
    soft = 0.12  # about a pixel, so that a thin stroke is grey rather than broken
    return np.clip((pen[:, None] - distance) / soft + 0.5, 0, 1).astype(np.float32)


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """T rows of pixels between 0 (paper) and 1 (ink), from top to bottom, and noise of standard deviation `noise`."""
    drawings = _drawings()
    chosen = rng.integers(0, drawings.shape[1], batch_size)
    rows = (2 * np.arange(setup.length) + 1) * ROWS // (2 * setup.length)
    inputs = drawings.reshape(-1, COLUMNS).take(rows[:, None] * drawings.shape[1] + chosen, 0)  # (T, B, COLUMNS)
    if setup.noise:
        # Uniform noise: drawing normal numbers for every pixel would take longer than all the rest.
        grain = rng.random(inputs.shape, np.float32)
        grain -= np.float32(0.5)
        grain *= np.float32(np.sqrt(12) * setup.noise)
        inputs += grain
    return Batch(inputs, chosen // DRAWINGS)


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """The rows of pixels in characters from blank to "@", and "-> 7" below."""
    shades = np.clip(inputs * len(SHADES), 0, len(SHADES) - 1).astype(int)
    return "\n".join([*("".join(SHADES[k] for k in row).rstrip() for row in shades), f"→ {DIGITS[int(target)]}"])


SCANLINE = Task(
    name="scanline",
    title="Read a digit row by row",
    verb="read a digit row by row",
    explanation="A drawn digit passes one row of pixels at a time, from top to bottom, and the network never sees it whole. "
    "At the last row it must name the digit: it has to keep the shape of the strokes that have gone by.",
    citation="Le, Jaitly & Hinton 2015, who read images pixel by pixel",
    input_names=tuple(f"column {k + 1}" for k in range(COLUMNS)),
    output_names=DIGITS,
    answers="once",
    loss="cross_entropy",
    sample=sample,
    baseline=lambda setup: Yardstick(float(np.log(10)), "guessing one of ten", "loss"),
    solved=lambda setup: Yardstick(0.95, "solved", "accuracy"),
    describe=describe,
    shortest=8,
    longest=ROWS,
    defaults={"length": 16, "noise": 0.1},
    options=("noise",),
    picture="image",
)

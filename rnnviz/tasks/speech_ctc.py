"""Toy speech: a spectrum at every frame, and fewer labels than frames, without a word on when each is spoken."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick

# The two lowest resonances of the mouth in Hz, men's means of Peterson & Barney 1952 (e as in "head").
FORMANTS = {"a": (730, 1090), "e": (530, 1840), "i": (270, 2290), "o": (570, 840), "u": (300, 870)}
LABELS = ("blank", *FORMANTS)
BANDS = 12
SPEAKERS = 64
NOISE = 0.3  # standard deviation, where a formant peaks at about 1
LONGEST_PAUSE = 2  # frames
SHADES = " .:-=+*#%@"


def _mel(frequency: np.ndarray) -> np.ndarray:
    """Hz on a scale of equal steps in pitch as we hear it."""
    return 2595 * np.log10(1 + frequency / 700)


def _centres() -> np.ndarray:
    """(BANDS,) Hz, evenly spaced in mel from 200 to 3000 Hz."""
    low, high = _mel(np.array([200.0, 3000.0]))
    return 700 * (10 ** (np.linspace(low, high, BANDS) / 2595) - 1)


@lru_cache(maxsize=1)
def _voices() -> np.ndarray:
    """(SPEAKERS * len(LABELS), BANDS) float32: the spectrum of each label by each speaker; that of the blank is silence.

    A shorter throat shifts all formants up by the same factor; some speak louder.
    """
    rng, bands = np.random.default_rng(0), _mel(_centres())
    throat, loudness = rng.uniform(0.93, 1.08, (SPEAKERS, 1, 1, 1)), rng.uniform(0.8, 1.2, (SPEAKERS, 1, 1))
    formants = np.array(list(FORMANTS.values()), float)[..., None]  # (labels, 2, 1)
    away = (bands - _mel(throat * formants)) / (bands[1] - bands[0])  # (SPEAKERS, labels, 2, BANDS)
    peaks = np.exp(-0.5 * away**2)
    spectra = loudness * peaks.sum(2)
    return np.concatenate([np.zeros_like(spectra[:, :1]), spectra], 1).reshape(-1, BANDS).astype(np.float32)


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """As many random labels as fit into T frames, each lasting `gap` frames on average, by one speaker a sequence.

    A label lasts at least half and at most one and a half times `gap`. Before each may be a pause, and before a label that
    is said again always is one: so an alignment exists, and a repetition can be heard.
    """
    length, gap, every = setup.length, setup.gap, np.arange(batch_size)
    shortest = (gap + 1) // 2
    K = length // shortest  # labels that could possibly fit
    labels = rng.integers(1, len(LABELS), (K, batch_size))
    frames = np.empty((K, 2, batch_size), np.int64)  # of each label's pause, and of the label
    frames[:, 0] = rng.integers(0, LONGEST_PAUSE + 1, (K, batch_size))
    frames[1:, 0] = np.maximum(frames[1:, 0], labels[1:] == labels[:-1])
    frames[:, 1] = rng.integers(shortest, 2 * gap - shortest + 1, (K, batch_size))
    ends = frames.reshape(2 * K, batch_size).cumsum(0)
    counts = (ends[1::2] <= length).sum(0)  # (B,)
    lengths = ends[2 * counts - 1, every]
    # What is under way at a frame is found by counting what has ended: 0, 1, 2, ... for pause, label, pause, ...
    ended = np.bincount((ends * batch_size + every)[ends < length], minlength=length * batch_size)
    under_way = ended.reshape(length, batch_size).cumsum(0)  # (T, B)
    spoken = np.zeros((2 * K + 1, batch_size), np.int64)
    spoken[1::2] = labels
    voice = rng.integers(0, SPEAKERS, batch_size) * len(LABELS)
    inputs = _voices().take(spoken[under_way, every] + voice, 0)  # (T, B, BANDS)
    # Uniform noise: drawing as many normal numbers would take longer than all the rest.
    noise = rng.random(inputs.shape, np.float32)
    noise -= np.float32(0.5)
    noise *= np.float32(np.sqrt(12) * NOISE)
    inputs += noise
    inputs[np.arange(length)[:, None] >= lengths] = 0
    targets = labels[: counts.max()]
    return Batch(inputs, np.where(np.arange(len(targets))[:, None] < counts, targets, -1), lengths)


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """A spectrogram in characters, high pitch on top, and "-> a o o" below."""
    shades = np.clip(inputs.T[::-1] * len(SHADES), 0, len(SHADES) - 1).astype(int)
    said = " ".join(LABELS[k] for k in target if k > 0)
    return "\n".join([*("".join(SHADES[k] for k in row).rstrip() for row in shades), f"→ {said}"])


def _misfit(setup: Setup) -> tuple[str, str] | None:
    most = (2 * (setup.length // 2 - LONGEST_PAUSE) + 1) // 3
    if setup.gap <= most:
        return None
    return "gap", (
        f"`gap` must be at most {most} for a `length` of {setup.length}: two labels have to fit in, and each may last one "
        f"and a half times as long. Got {setup.gap}."
    )


SPEECH_CTC = Task(
    name="speech_ctc",
    title="Write down what is spoken",
    verb="write down what is spoken",
    explanation="Vowels are spoken one after another, each for many frames of sound, and the network must write each down "
    "once, in order. Nobody tells it when a vowel begins: the loss sums over every way to lay the letters along the frames.",
    citation="Graves, Fernández, Gomez & Schmidhuber 2006; formants Peterson & Barney 1952",
    input_names=tuple(f"{round(centre / 10) * 10} Hz" for centre in _centres()),
    output_names=LABELS,
    answers="labels",
    loss="ctc",
    sample=sample,
    baseline=lambda setup: None,  # no string is right more often than others, and silence is simply all wrong
    solved=lambda setup: Yardstick(0.95, "solved", "accuracy"),
    describe=describe,
    shortest=24,
    longest=400,
    defaults={"length": 40, "gap": 6},
    options=("gap",),
    misfit=_misfit,
    picture="heat",
)

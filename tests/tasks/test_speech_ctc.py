from importlib import import_module
from itertools import groupby, pairwise

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnviz.tasks import TASKS, Batch, Setup

SPEECH = TASKS["speech_ctc"]
HERTZ = {"a": (730, 1090), "e": (530, 1840), "i": (270, 2290), "o": (570, 840), "u": (300, 870)}  # Peterson & Barney
MODULE = import_module("rnnviz.tasks.speech_ctc")
LABELS = len(SPEECH.output_names)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without noise every frame is exactly some speaker's spectrum."""
    monkeypatch.setattr(MODULE, "NOISE", 0.0)


def draw(length: int, gap: int, batch: int = 9, seed: int = 0) -> Batch:
    drawn = SPEECH.sample(np.random.default_rng(seed), batch, Setup(length, gap=gap))
    assert drawn.lengths is not None
    return drawn


def heard(frames: np.ndarray) -> list[tuple[int, int]]:
    """What a listener who knows every voice makes of noiseless frames (n, bands): runs of (label or 0, frames)."""
    voices = MODULE._voices().reshape(-1, LABELS, frames.shape[1])
    match = (frames[:, None, None] == voices).all(3)  # (n, speakers, labels)
    speaker = match.any(2).all(0).nonzero()[0]
    assert len(speaker) == 1, "one voice all through"
    return [(label, len(list(run))) for label, run in groupby(match[:, speaker[0]].argmax(1).tolist())]


def longest_gap(length: int) -> int:
    """The longest mean duration of which two labels fit, each as long as can be (1.5 times) after a pause of two frames."""
    return max(gap for gap in range(1, length) if 2 * (2 + int(1.5 * gap)) <= length)


@pytest.mark.usefixtures("quiet")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(24, 120), part=st.floats(0, 1), seed=st.integers(0, 10**6))
def test_the_labels_are_what_is_heard(length: int, part: float, seed: int) -> None:
    gap = 1 + int(part * (min(20, longest_gap(length)) - 1))
    batch = draw(length, gap, seed=seed)
    assert batch.inputs.shape == (length, 9, len(SPEECH.input_names))
    counts = (batch.targets >= 0).sum(0)
    assert len(batch.targets) == counts.max()
    for b, n in enumerate(batch.lengths):
        runs = heard(batch.inputs[:n, b])
        said = [label for label, _ in runs if label]
        assert said == batch.targets[: counts[b], b].tolist()
        assert (batch.targets[counts[b] :, b] == -1).all()
        assert len(said) >= 2
        assert runs[-1][0] != 0, "it ends with the last label"
        for label, frames in runs:
            assert (gap / 2 <= frames <= 1.5 * gap) if label else frames <= 2


@pytest.mark.usefixtures("quiet")
def test_as_many_labels_are_spoken_as_fit() -> None:
    """No sequence ends so early that another label, whatever its length and pause, had to fit in."""
    for length, gap in ((40, 6), (100, 6), (30, 1)):
        batch = draw(length, gap, batch=300)
        assert batch.lengths.max() == length
        assert (length - batch.lengths < 2 + 1.5 * gap).all()


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("gap", [1, 5, 6])
def test_a_label_lasts_the_gap_on_average_and_pauses_before_a_repetition(gap: int) -> None:
    batch = draw(60, gap, batch=400)
    first, pauses = [], {True: [], False: []}
    for b, n in enumerate(batch.lengths):
        runs = heard(batch.inputs[:n, b])
        first.append(next(frames for label, frames in runs if label))
        spoken = [k for k, (label, _) in enumerate(runs) if label]
        for k, j in pairwise(spoken):
            pauses[runs[k][0] == runs[j][0]].append(runs[k + 1][1] if j == k + 2 else 0)
    assert abs(np.mean(first) - gap) < 4 * np.std(first) / np.sqrt(len(first)) + 1e-12
    assert set(pauses[True]) == {1, 2}
    assert set(pauses[False]) == {0, 1, 2}
    assert abs(np.mean(pauses[False]) - 1) < 0.1


def test_the_padding_is_silent_and_the_noise_is_not() -> None:
    batch = draw(40, 6, batch=2000)
    inside = np.arange(40)[:, None] < batch.lengths
    assert (batch.inputs[~inside] == 0).all()
    # The first frames are a pause in two sequences of three.
    bands = len(SPEECH.input_names)
    first = batch.inputs[0].astype(np.float64)
    silent = first[(np.abs(first) < np.sqrt(3) * MODULE.NOISE).all(1)]
    assert abs(len(silent) / 2000 - 2 / 3) < 0.06
    assert abs(silent.mean()) < 4 * MODULE.NOISE / np.sqrt(len(silent) * bands)
    assert abs(silent.std() / MODULE.NOISE - 1) < 0.03
    counts = np.bincount(batch.targets[batch.targets >= 0], minlength=LABELS)
    assert counts[0] == 0
    assert abs(counts[1:] / counts[1:].mean() - 1).max() < 0.1


@pytest.mark.parametrize(("length", "gap"), [(24, 1), (24, 6), (40, 6), (64, 20), (100, 3)])
def test_an_alignment_always_exists(length: int, gap: int) -> None:
    batch = draw(length, gap, batch=200)
    counts = (batch.targets >= 0).sum(0)
    repeats = ((batch.targets[1:] == batch.targets[:-1]) & (batch.targets[1:] >= 0)).sum(0)
    assert (batch.lengths >= counts + repeats).all()
    losses = torch.nn.functional.ctc_loss(
        torch.full((length, 200, LABELS), -np.log(LABELS)),
        torch.from_numpy(batch.targets.T.clip(1)),
        torch.from_numpy(batch.lengths),
        torch.from_numpy(counts),
        reduction="none",
    )
    assert torch.isfinite(losses).all()


def test_every_vowel_sounds_at_its_formants_and_the_blank_is_silent() -> None:
    def mel(hertz: float) -> float:
        return float(1127 * np.log(1 + hertz / 700))

    voices = MODULE._voices().reshape(-1, LABELS, len(SPEECH.input_names))
    assert (voices[:, 0] == 0).all()
    assert SPEECH.input_names[::11] == ("200 Hz", "3000 Hz")
    bands = np.array([mel(float(name.removesuffix(" Hz"))) for name in SPEECH.input_names])
    assert abs(np.diff(bands) - np.diff(bands).mean()).max() < 13, "evenly spaced, but for names in tens of hertz"
    for k, vowel in enumerate(SPEECH.output_names[1:], 1):
        spectrum = voices[:, k].mean(0)
        away = np.abs(bands[:, None] - [mel(formant) for formant in HERTZ[vowel]])  # (bands, 2)
        assert (spectrum[away.argmin(0)] > 0.7).all()
        assert (spectrum[(away > 2.6 * (bands[1] - bands[0])).all(1)] < 0.1).all()


def test_a_gap_is_refused_where_two_labels_might_not_fit() -> None:
    for length in range(24, 130):
        most = longest_gap(length)
        assert SPEECH.misfit(Setup(length, gap=most)) is None
        field, sentence = SPEECH.misfit(Setup(length, gap=most + 1))
        assert field == "gap"
        assert f"at most {most} " in sentence
        assert f"Got {most + 1}." in sentence
    assert SPEECH.misfit(Setup(SPEECH.shortest, gap=SPEECH.defaults["gap"])) is None


def test_saying_nothing_or_always_the_same_is_no_yardstick() -> None:
    assert SPEECH.baseline(Setup(40, gap=6)) is None
    assert SPEECH.solved(Setup(40, gap=6)) == (0.95, "solved", "accuracy")


def test_a_description_is_a_spectrogram_over_its_labels() -> None:
    frames = np.zeros((3, len(SPEECH.input_names)), np.float32)
    frames[0, 0], frames[2, -1] = 1, 0.5
    lines = SPEECH.describe(frames, np.array([1, 4, -1])).split("\n")
    assert lines == ["  +", *[""] * (len(SPEECH.input_names) - 2), "@", "→ a o"]

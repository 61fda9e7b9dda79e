from collections.abc import Iterator

import numpy as np
import pytest

from rnnviz.tasks import TASKS, Setup

SCANLINE = TASKS["scanline"]


def images(count: int, length: int = 16, noise: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(B, T, columns) float64 and (B,) digits."""
    batch = SCANLINE.sample(np.random.default_rng(seed), count, Setup(length, noise=noise))
    return batch.inputs.transpose(1, 0, 2).astype(np.float64), batch.targets


def regions(white: np.ndarray) -> Iterator[set[tuple[int, int]]]:
    """The connected regions of a black and white image, by flood fill."""
    left = {(int(row), int(column)) for row, column in np.argwhere(white)}
    while left:
        region, edge = set(), [left.pop()]
        while edge:
            row, column = edge.pop()
            region.add((row, column))
            for near in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
                if near in left:
                    left.remove(near)
                    edge.append(near)
        yield region


def test_pixels_are_between_paper_and_ink_and_nothing_is_cut_off_at_the_sides() -> None:
    pictures, digits = images(2000)
    assert pictures.shape == (2000, 16, len(SCANLINE.input_names))
    assert pictures.min() == 0
    assert pictures.max() == 1
    ink = pictures.sum((1, 2)) / pictures[0].size
    assert ink.min() > 0.05
    assert ink.max() < 0.5
    assert pictures[:, :, [0, -1]].mean() < 0.1 * pictures.mean()
    assert set(digits) == set(range(10))


def test_digits_are_equally_frequent() -> None:
    _, digits = images(20_000, length=8)
    assert abs(np.bincount(digits, minlength=10) / 2000 - 1).max() < 0.1


def test_every_digit_has_the_holes_of_its_number() -> None:
    """Topology knows nothing of strokes: 0, 4, 6 and 9 enclose one white region, 8 two, the others none."""
    pictures, digits = images(300, length=64)
    right = np.empty(300, bool)
    for k, (picture, digit) in enumerate(zip(pictures, digits, strict=True)):
        paper = np.pad(picture < 0.4, 1, constant_values=True)
        holes = sum(len(region) > 1 for region in regions(paper)) - 1  # less the paper around the digit
        right[k] = holes == {0: 1, 4: 1, 6: 1, 8: 2, 9: 1}.get(int(digit), 0)
    assert right.mean() > 0.9


def test_a_drawing_looks_like_others_of_its_digit() -> None:
    pictures, digits = images(1500)
    flat = pictures.reshape(1500, -1)
    known, asked = flat[:1000], flat[1000:]
    distance = (known**2).sum(1) - 2 * asked @ known.T  # (500, 1000), up to a constant of each row
    distance[(asked**2).sum(1)[:, None] + distance < 1e-6] = np.inf  # the very same drawing
    assert (digits[:1000][distance.argmin(1)] == digits[1000:]).mean() > 0.97


@pytest.mark.parametrize("length", [8, 11, 16, 37, 64])
def test_fewer_rows_are_the_same_drawings_with_rows_left_out_evenly(length: int) -> None:
    whole, digits = images(50, length=64)
    some, same = images(50, length=length)
    np.testing.assert_array_equal(digits, same)
    for t in range(length):
        middle = (t + 0.5) / length  # of this time step's strip of the picture, in heights
        nearest = [row for row in range(64) if abs((row + 0.5) / 64 - middle) < 0.5 / 64 + 1e-9]
        assert any(np.array_equal(whole[:, row], some[:, t]) for row in nearest)


@pytest.mark.parametrize("noise", [0.1, 0.5])
def test_noise_has_the_declared_deviation_and_no_pattern(noise: float) -> None:
    clean, digits = images(3000)
    noisy, same = images(3000, noise=noise)
    np.testing.assert_array_equal(digits, same)
    grain = noisy - clean
    assert abs(grain.mean()) < 4 * noise / np.sqrt(grain.size)
    assert abs((grain**2).mean() / noise**2 - 1) < 4 * np.sqrt(2 / grain.size)
    for one, other in ((grain[:, 1:], grain[:, :-1]), (grain[..., 1:], grain[..., :-1]), (grain[1:], grain[:-1])):
        assert abs((one * other).mean()) < 4 * noise**2 / np.sqrt(one.size)


def test_guessing_one_of_ten_scores_the_declared_baseline() -> None:
    _, digits = images(100)
    assert SCANLINE.baseline(Setup(16)).value == pytest.approx(-np.log(np.full(10, 0.1)[digits]).mean(), rel=1e-12)
    assert SCANLINE.solved(Setup(16)) == (0.95, "solved", "accuracy")


def test_a_description_draws_the_picture() -> None:
    pixels = np.zeros((2, len(SCANLINE.input_names)), np.float32)
    pixels[0, 2], pixels[1, :2] = 1, (0.5, -0.3)
    assert SCANLINE.describe(pixels, np.int64(7)) == "  @\n+\n→ 7"

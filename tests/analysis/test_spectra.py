import numpy as np
import pytest

from rnnviz.analysis import spectral_norm, spectral_radius


def test_the_radius_is_about_eigenvalues_and_the_norm_about_singular_values() -> None:
    shear = np.array([[0.5, 10.0], [0.0, 0.5]])
    assert spectral_radius(shear) == pytest.approx(0.5)
    assert spectral_norm(shear) == pytest.approx(np.sqrt(np.linalg.eigvalsh(shear.T @ shear).max()))
    turn = 0.9 * np.array([[0.0, -1.0], [1.0, 0.0]])
    assert spectral_radius(turn) == pytest.approx(0.9)
    assert spectral_norm(turn) == pytest.approx(0.9)


def test_a_gaussian_matrix_of_radius_below_one_still_stretches() -> None:
    norms = []
    for seed in range(5):
        W = np.random.default_rng(seed).normal(size=(128, 128))
        W *= 0.9 / spectral_radius(W)
        norms.append(spectral_norm(W))
        assert spectral_norm(np.linalg.matrix_power(W, 100)) < 1e-3, "and yet it decays"
    assert 1.5 < min(norms) < max(norms) < 1.9

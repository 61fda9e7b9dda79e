"""Traces and weights in, named results out."""

from rnnviz.analysis.spectra import spectral_norm, spectral_radius

__all__ = ["spectral_norm", "spectral_radius"]

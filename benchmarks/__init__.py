"""Measured ratios: `make bench`, or `make bench ARGS="cells engine page"` for some of them."""

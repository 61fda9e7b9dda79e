"""Evaluates the LaTeX equations that cells declare, in plain numpy: a second implementation nobody wrote by hand.

The grammar is what the equations use: sums of products, a product being either a matrix before a vector or two vectors
around ``\\odot``; the functions ``\\sigma``, ``\\tanh`` and ``\\phi``; parentheses, numbers and subscripted symbols.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from rnnviz.cells import Cell

Values = dict[str, np.ndarray]
TOKEN = re.compile(r"\\[a-z]+|[A-Za-z](?:_\{[^}]*\}|_\w)?|\d+(?:\.\d+)?|[-+()=]")
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "linear": lambda a: a,
}


class Equation(NamedTuple):
    """One parsed line: the symbol it defines, and its right-hand side as a function of all values known so far."""

    symbol: str
    evaluate: Callable[[Values], np.ndarray]


def plain(symbol: str) -> str:
    """``W_{if}`` -> ``W_if``."""
    return symbol.replace("{", "").replace("}", "")


def parse(latex: str, activation: str) -> Equation:
    tokens = TOKEN.findall(latex)
    if "".join(tokens) != re.sub(r"\s", "", latex):
        raise SyntaxError(f"not understood: {latex}")
    functions = {r"\sigma": ACTIVATIONS["sigmoid"], r"\tanh": np.tanh, r"\phi": ACTIVATIONS[activation]}
    place = 2

    def peek() -> str:
        return tokens[place] if place < len(tokens) else ""

    def take() -> str:
        nonlocal place
        place += 1
        return tokens[place - 1]

    def group() -> Callable[[Values], np.ndarray]:
        if take() != "(":
            raise SyntaxError(f"a parenthesis is missing: {latex}")
        inside = total()
        if not peek() or take() != ")":
            raise SyntaxError(f"a parenthesis is not closed: {latex}")
        return inside

    def atom() -> Callable[[Values], np.ndarray]:
        if peek() == "(":
            return group()
        token = take()
        if token in functions:
            inside, function = group(), functions[token]
            return lambda known: function(inside(known))
        if token[0].isdigit():
            return lambda known: np.array(float(token))
        if not token[0].isalpha():
            raise SyntaxError(f"{token} is out of place: {latex}")
        return lambda known: known[plain(token)]

    def matrix_product() -> Callable[[Values], np.ndarray]:
        factors = [atom()]
        while peek() and (peek()[0].isalnum() or peek() in functions or peek() == "("):
            factors.append(atom())

        def evaluate(known: Values) -> np.ndarray:
            *matrices, value = [factor(known) for factor in factors]
            for matrix in reversed(matrices):
                if matrix.ndim != 2 or value.ndim != 1:
                    raise TypeError(f"only a matrix may stand beside a vector: {latex}")
                value = matrix @ value
            return value

        return evaluate

    def product() -> Callable[[Values], np.ndarray]:
        factors = [matrix_product()]
        while peek() == r"\odot":
            take()
            factors.append(matrix_product())

        def evaluate(known: Values) -> np.ndarray:
            value, *others = [factor(known) for factor in factors]
            for other in others:
                if value.shape != other.shape:
                    raise TypeError(f"the factors of \\odot differ in shape: {latex}")
                value = value * other
            return value

        return evaluate

    def total() -> Callable[[Values], np.ndarray]:
        terms = [(1, product())]
        while peek() in ("+", "-"):
            sign = 1 if take() == "+" else -1
            terms.append((sign, product()))
        return lambda known: sum((sign * term(known) for sign, term in terms), np.array(0.0))

    if tokens[1] != "=":
        raise SyntaxError(f"not an equation: {latex}")
    right = total()
    if place != len(tokens):
        raise SyntaxError(f"{peek()} is out of place: {latex}")
    return Equation(plain(tokens[0]), right)


def letter(symbol: str) -> str:
    """``f_t`` -> ``f``."""
    return symbol.split("_")[0]


def symbols(cell: Cell, weights: Mapping[str, np.ndarray], equations: Mapping[str, Equation]) -> Values:
    """A layer's weights under the symbols of the equations: W_ix and W_hx are the rows of block x, b_x its bias."""
    values: Values = {}
    for k, block in enumerate(cell.blocks):
        x = letter(equations[block].symbol) if block in equations else cell.states[0]
        rows = slice(k * len(weights["b"]) // len(cell.blocks), (k + 1) * len(weights["b"]) // len(cell.blocks))
        values |= {f"W_i{x}": weights["W_ih"][rows], f"W_h{x}": weights["W_hh"][rows], f"b_{x}": weights["b"][rows]}
    if len(cell.blocks) == 1:
        values["b"] = weights["b"]
    return values | {name: weights[name] for name in cell.extra_parameters}


class Equations:
    """A cell's declared equations with one layer's weights, ready to run for a single sample."""

    def __init__(
        self,
        cell: Cell,
        weights: Mapping[str, np.ndarray],
        activation: str = "tanh",
        equations: Mapping[str, str] | None = None,
    ):
        declared = cell.equations if equations is None else equations
        self._cell = cell
        self._parsed = {name: parse(latex, activation) for name, latex in declared.items()}
        self._constants = symbols(cell, weights, self._parsed)

    def step(
        self, x: np.ndarray, state: Mapping[str, np.ndarray], nudged: str = "", by: np.ndarray | float = 0
    ) -> dict[str, np.ndarray]:
        """Every declared name -> (H,). `nudged` is moved by `by` as soon as it is known; what comes after it feels that."""
        known = self._constants | {"x_t": x} | {f"{name}_t-1": value for name, value in state.items()}
        found = {}
        for name, equation in self._parsed.items():
            found[name] = equation.evaluate(known) + (by if name == nudged else 0)
            known[equation.symbol] = found[name]
        return found

    def run(self, xs: np.ndarray, at: int = -1, nudged: str = "", by: np.ndarray | float = 0) -> dict[str, np.ndarray]:
        """xs (T, I) -> every declared name as (T, H), from zero states; one of them nudged at step `at`."""
        size = next(value.shape[1] for name, value in self._constants.items() if name.startswith("W_h"))
        state = {name: np.zeros(size) for name in self._cell.states}
        history = []
        for t, x in enumerate(xs):
            history.append(self.step(x, state, nudged if t == at else "", by))
            state = {name: history[-1][name] for name in self._cell.states}
        return {name: np.stack([values[name] for values in history]) for name in self._parsed}

"""Evaluates the LaTeX equations that cells declare, in plain numpy: a second implementation nobody wrote by hand.

The grammar is what the equations use: sums of products, a product being either a matrix before a vector or two vectors
around ``\\odot``; fractions; functions with their argument in parentheses; numbers and subscripted symbols. Complex numbers
may be computed with, through the imaginary unit ``i``, but whatever a cell declares must come out real.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from rnnviz.cells import Cell

Values = dict[str, np.ndarray]
SYMBOL = r"(?:\\tilde [a-z]|\\(?:lambda|gamma|nu|theta)\b|[A-Za-z])'?(?:\^\{\\log\})?(?:_\{[^}]*\}|_\w)?"
TOKEN = re.compile(SYMBOL + r"|\\[A-Za-z]+|\d+(?:\.\d+)?|[-+()=,{}]")
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "linear": lambda a: a,
}
FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    r"\sigma": ACTIVATIONS["sigmoid"],
    r"\tanh": np.tanh,
    r"\exp": np.exp,
    r"\ln": np.log,
    r"\Re": np.real,
    r"\Im": np.imag,
}
PARTS = (r"\Re", r"\Im")


class Equation(NamedTuple):
    """One parsed line: the symbol it defines, and its right-hand side as a function of all values known so far."""

    symbol: str
    evaluate: Callable[[Values], np.ndarray]


def plain(symbol: str) -> str:
    """``W_{if}`` -> ``W_if``."""
    return symbol.replace("{", "").replace("}", "")


def parse(latex: str, activation: str) -> Equation:
    tokens = TOKEN.findall(latex)
    if re.sub(r"\s", "", "".join(tokens)) != re.sub(r"\s", "", latex):
        raise SyntaxError(f"not understood: {latex}")
    functions = FUNCTIONS | {r"\phi": ACTIVATIONS[activation]}
    is_part = tokens[0] in PARTS  # a line may define the real or the imaginary part of a symbol
    place = 3 if is_part else 2

    def peek() -> str:
        return tokens[place] if place < len(tokens) else ""

    def take() -> str:
        nonlocal place
        place += 1
        return tokens[place - 1]

    def expect(wanted: str) -> None:
        if not peek() or take() != wanted:
            raise SyntaxError(f"{wanted} is missing: {latex}")

    def group(opened: str = "(", closed: str = ")") -> Callable[[Values], np.ndarray]:
        expect(opened)
        inside = total()
        expect(closed)
        return inside

    def larger() -> Callable[[Values], np.ndarray]:
        expect("(")
        one = total()
        expect(",")
        other = total()
        expect(")")
        return lambda known: np.maximum(*same_shape(one(known), other(known)))

    def fraction() -> Callable[[Values], np.ndarray]:
        above, below = group("{", "}"), group("{", "}")
        return lambda known: np.divide(*same_shape(above(known), below(known)))

    def same_shape(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if one.shape != other.shape:
            raise TypeError(f"two operands differ in shape: {latex}")
        return one, other

    def starts_an_atom(token: str) -> bool:
        return token in ("(", r"\max", r"\frac", r"\infty", *functions) or bool(re.fullmatch(SYMBOL + r"|\d.*", token))

    def atom() -> Callable[[Values], np.ndarray]:
        if peek() == "(":
            return group()
        token = take()
        if token in functions:
            inside, function = group(), functions[token]
            return lambda known: function(inside(known))
        if token == r"\max":
            return larger()
        if token == r"\frac":
            return fraction()
        if token == r"\infty":
            return lambda known: np.array(np.inf)
        if token[0].isdigit():
            return lambda known: np.array(float(token))
        if not re.fullmatch(SYMBOL, token):
            raise SyntaxError(f"{token} is out of place: {latex}")
        return lambda known: known[plain(token)]

    def matrix_product() -> Callable[[Values], np.ndarray]:
        factors = [atom()]
        while starts_an_atom(peek()):
            factors.append(atom())

        def evaluate(known: Values) -> np.ndarray:
            *matrices, value = [factor(known) for factor in factors]
            for matrix in reversed(matrices):
                if value.ndim == 1 and matrix.ndim == 0 and np.iscomplexobj(matrix):  # the imaginary unit
                    value = matrix * value
                elif matrix.ndim == 2 and value.ndim == 1:
                    value = matrix @ value
                else:
                    raise TypeError(f"only a matrix may stand beside a vector: {latex}")
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
                value = np.multiply(*same_shape(value, other))
            return value

        return evaluate

    def total() -> Callable[[Values], np.ndarray]:
        sign = -1 if peek() == "-" else 1
        if sign < 0:
            take()
        terms = [(sign, product())]
        while peek() in ("+", "-"):
            sign = 1 if take() == "+" else -1
            terms.append((sign, product()))
        return lambda known: sum((sign * term(known) for sign, term in terms), np.array(0.0))

    if tokens[place - 1] != "=" or not re.fullmatch(SYMBOL, tokens[place - 2]):
        raise SyntaxError(f"not an equation: {latex}")
    right = total()
    if place != len(tokens):
        raise SyntaxError(f"{peek()} is out of place: {latex}")
    return Equation(" ".join(map(plain, tokens[: 2 if is_part else 1])), right)


def letter(symbol: str) -> str:
    """``f'_t`` -> ``f`` and ``\\tilde h_t`` -> ``h``: what the weights are named after."""
    return symbol.removeprefix(r"\tilde ").split("_")[0].rstrip("'")


def symbols(cell: Cell, weights: Mapping[str, np.ndarray], equations: Mapping[str, Equation]) -> Values:
    """A layer's weights under the symbols of the equations.

    W_ix and W_hx are the rows of block x, b_x its bias; ``B_re`` and ``B_im`` make a complex B; ``nu_log`` is
    ``\\nu^{\\log}``; any other parameter goes by its own name.
    """
    values: Values = {"i": np.array(1j)}
    own = dict(weights)
    for name, symbol in (("W_ih", "W_i"), ("W_hh", "W_h"), ("b", "b_")):
        if name not in own:
            continue
        for block, rows in zip(cell.blocks, np.split(own.pop(name), len(cell.blocks)), strict=True):
            values[symbol + (letter(equations[block].symbol) if block in equations else cell.states[0])] = rows
            if len(cell.blocks) == 1 and name == "b":
                values["b"] = rows
    for name, value in own.items():
        stem, _, kind = name.rpartition("_")
        if kind == "re":
            values[stem] = value + 1j * own[f"{stem}_im"]
        elif kind == "log":
            values[rf"\{stem}^\log"] = value
        elif kind != "im":
            values[name] = value
    return values


def printed(cell: Cell) -> dict[str, str]:
    """Every line a page prints for a cell, definitions first, in the order they are evaluated."""
    return {f"definition {k + 1}": latex for k, latex in enumerate(cell.definitions)} | dict(cell.equations)


def remember(known: Values, symbol: str, value: np.ndarray) -> None:
    """Two real parts make a complex number as soon as both are known."""
    known[symbol] = value
    for part in PARTS:
        whole = symbol.removeprefix(f"{part} ")
        if whole != symbol and all(f"{p} {whole}" in known for p in PARTS):
            known[whole] = known[f"{PARTS[0]} {whole}"] + 1j * known[f"{PARTS[1]} {whole}"]


class Equations:
    """A cell's declared equations with one layer's weights, ready to run for a single sample."""

    def __init__(
        self,
        cell: Cell,
        weights: Mapping[str, np.ndarray],
        activation: str = "tanh",
        lines: Mapping[str, str] | None = None,
    ):
        """`lines`: others than those the cell declares, named as `printed` names them."""
        self._cell = cell
        self._parsed = {name: parse(latex, activation) for name, latex in (lines or printed(cell)).items()}
        self._constants = symbols(cell, weights, self._parsed)
        first, shape = next(iter(cell.shapes(1, 1).items()))
        self._size = weights[first].shape[0] // shape[0]

    def step(
        self, x: np.ndarray, state: Mapping[str, np.ndarray], nudged: str = "", by: np.ndarray | float = 0
    ) -> dict[str, np.ndarray]:
        """Every declared name -> (H,). `nudged` is moved by `by` as soon as it is known; what comes after it feels that."""
        known = self._constants | {"x_t": x}
        for name in self._cell.carried:
            remember(known, f"{self._cell.symbols[name]}_t-1", state[name])
        found = {}
        for name, equation in self._parsed.items():
            value = equation.evaluate(known) + (by if name == nudged else 0)
            remember(known, equation.symbol, value)
            if not name.startswith("definition"):
                if np.iscomplexobj(value):
                    raise TypeError(f"{equation.symbol} is complex")
                found[name] = value
        return found

    def start(self) -> dict[str, np.ndarray]:
        """State name -> (H,) before the first step: zero, or what a definition of the form m_0 says."""
        said = {equation.symbol: equation.evaluate for equation in self._parsed.values()}
        state = {}
        for name in self._cell.states:
            first = said.get(f"{self._cell.symbols[name]}_0")
            state[name] = np.full(self._size, 0.0 if first is None else first({}))
        return state

    def run(self, xs: np.ndarray, at: int = -1, nudged: str = "", by: np.ndarray | float = 0) -> dict[str, np.ndarray]:
        """xs (T, I) -> every declared name as (T, H), from the start; one of them nudged at step `at`."""
        state, history = self.start(), []
        for t, x in enumerate(xs):
            history.append(self.step(x, state, nudged if t == at else "", by))
            state = {name: history[-1][name] for name in self._cell.states}
        return {name: np.stack([values[name] for values in history]) for name in history[0]}

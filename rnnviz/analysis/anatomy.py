"""One step of a cell taken apart: every symbol and operation of its declared equations, with its value and its gradient.

The equations that a cell prints are read, run in float64 on what the trace says came before, and differentiated line by
line. So what a page shows as a formula, as a diagram and as numbers is one thing, for every cell that declares itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rnnviz.analysis.layers import chosen_layer, decoder_inputs, layer_inputs, states_before
from rnnviz.arithmetic import one_thread
from rnnviz.cells import ACTIVATIONS, CELLS, Cell
from rnnviz.errors import RnnvizError
from rnnviz.model import layer_weights, views
from rnnviz.tracing import Trace

SYMBOL = r"(?:\\tilde [a-z]|\\(?:lambda|gamma|nu|theta)\b|[A-Za-z])'?(?:\^\{\\log\})?(?:_\{[^}]*\}|_\w)?"
TOKEN = re.compile(SYMBOL + r"|\\[A-Za-z]+|\d+(?:\.\d+)?|[-+()=,{}]")
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    r"\sigma": torch.sigmoid,
    r"\tanh": torch.tanh,
    r"\exp": torch.exp,
    r"\ln": torch.log,
    r"\Re": torch.real,
    r"\Im": lambda z: z.imag if z.is_complex() else torch.zeros_like(z),
}
PARTS = (r"\Re", r"\Im")
ACTIVATION_LATEX = {"tanh": r"\tanh", "sigmoid": r"\sigma", "relu": r"\mathrm{relu}", "linear": ""}
SIGNS = {r"\sigma": "σ", r"\tanh": "tanh", r"\exp": "exp", r"\ln": "ln", r"\Re": "Re", r"\Im": "Im"}

Kind = Literal["input", "past", "definition", "gate", "state", "operation"]


class Node(NamedTuple):
    """A symbol of the equations, or an operation between symbols.

    Attributes:
        name: "x", "past h", a gate or state name as the cell declares it, or "c 1": the first operation in the line of c.
        symbol: LaTeX with its time, such as `f_t`; "" for an operation.
        rule: what is done here: "σ", "tanh", "+", "⊙", "1 −".
        value: (H,); of the input, (I,).
        grad: (H,) dL/d(value), later steps included. Of a gate, with respect to its pre-activation. Of a past state, what
            reaches it through this step.
    """

    name: str
    symbol: str
    kind: Kind
    rule: str
    value: np.ndarray
    grad: np.ndarray


class Wire(NamedTuple):
    """What runs from one node to another, for each unit.

    Attributes:
        value: (H,) what arrives: where a matrix or weight lies on the way, what is left behind it.
        grad: (H,) what comes back to the source along this wire. From the input, which has no units: with respect to what
            arrives.
    """

    source: str
    target: str
    value: np.ndarray
    grad: np.ndarray


@dataclass(frozen=True)
class Line:
    """One printed line, as LaTeX, and its value (H,)."""

    name: str
    latex: str
    value: np.ndarray
    _term: Term
    _made: Mapping[Term, np.ndarray]

    def substituted(self, unit: int) -> list[str]:
        """The right-hand side for one unit: numbers for symbols, then for the arguments of functions, then the result."""
        said = [_printed(self._term, self._made, unit, fold) for fold in (False, True)]
        said.append(latex_number(self.value[unit]))
        return list(dict.fromkeys(said))


class Anatomy(NamedTuple):
    """One layer, one example, one step.

    Attributes:
        nodes: sources first, then in the order of evaluation.
        wires: between the nodes.
        lines: what the cell prints, definitions first.
    """

    nodes: list[Node]
    wires: list[Wire]
    lines: list[Line]


@one_thread()
def dissect(
    trace: Trace, t: int, example: int = 0, layer: int = -1, *, reverse: bool = False, decoder: bool = False
) -> Anatomy:
    """Take one step apart.

    Args:
        trace: of any network.
        t: the 0-based step.
        example: which of the batch.
        layer: from the bottom, or negative from the top.
        reverse: of a bidirectional network, the half that reads from the end: its past is step t + 1.
        decoder: of a task that answers with a sequence, a layer of the decoder; t is a step of the answer.

    Raises:
        RnnvizError: if there is no such step, example or layer.
    """
    experiment, (place, told) = trace.experiment, chosen_layer(trace, layer, reverse, decoder)
    T, B, _ = told.states["h"].shape
    for name, index, size in (("t", t, T), ("example", example, B)):
        if not 0 <= index < size:
            raise RnnvizError(f"`{name}` must be from 0 to {size - 1}. Got {index}.")
    end = T if decoder or trace.lengths is None else int(trace.lengths[example])
    done = end - 1 - t if reverse else t  # steps this layer has taken before this one
    inputs = decoder_inputs(trace, place) if decoder else layer_inputs(trace, place)
    cell = CELLS[experiment.cell]
    own = f"decoder_{place}" if decoder else f"{place}_reverse" if reverse else f"{place}"
    weights = layer_weights(views(experiment, torch.tensor(trace.parameters).double()), own)
    lines = {f"definition {k + 1}": latex for k, latex in enumerate(cell.definitions)} | dict(cell.equations)
    read = {name: _Reader(latex, experiment.activation).equation() for name, latex in lines.items()}

    known = _constants(cell, weights, {name: symbol for name, (symbol, _) in read.items()})
    found: dict[str, Node] = {}
    at: dict[str, str] = {}  # plain symbol -> node name
    x = torch.from_numpy(inputs[t, example].copy()).requires_grad_()
    known["x_t"], at["x_t"] = x, "x"
    starts = {symbol.removesuffix("_0"): term for symbol, term in read.values() if symbol.endswith("_0")}
    for name in cell.carried:
        symbol = _plain(cell.symbols[name])
        before = torch.from_numpy(states_before(trace, told.states[name], reverse)[t, example].copy())
        if done == 0 and symbol in starts:
            before = before + _Run(known, experiment.activation).value(starts[symbol])
        known[f"{symbol}_t-1"], at[f"{symbol}_t-1"] = before.requires_grad_(), f"past {name}"

    runs: dict[str, _Run] = {}
    for name, (symbol, term) in read.items():
        run = runs[name] = _Run(dict(known), experiment.activation)
        value = run.value(term)
        known[symbol] = value.detach()
        if value.requires_grad:  # a line of weights alone is a constant
            known[symbol].requires_grad_()
            at[symbol] = name
    H = experiment.hidden_size
    received = {name: torch.zeros(len(x) if name == "x" else H, dtype=torch.float64) for name in at.values()}
    for name in reversed(read):
        if name in at.values():
            given = told.state_grads[name][t, example] if name in cell.states else received[name].numpy()
            runs[name].back(read[name][1], torch.from_numpy(given.copy()))
            for symbol, back in runs[name].occurrences():
                if symbol in at:
                    received[at[symbol]] += back

    wires: list[Wire] = []
    operations: dict[str, list[Node]] = {}
    for symbol, name in at.items():
        values = known[symbol].detach().numpy()
        grad: np.ndarray = received[name].numpy()
        if name in cell.states:
            kind: Kind = "state"
            grad = told.state_grads[name][t, example]
        elif name in cell.gates:
            kind, grad = "gate", told.preactivation_grads[name][t, example]
        else:
            kind = "input" if name == "x" else "past" if name.startswith("past ") else "definition"
        rule = ""
        if name in read:
            drawn = _Drawn(name, symbol, runs[name], at, H)
            rule = drawn.line(read[name][1])
            wires += drawn.wires
            operations[name] = drawn.nodes
        written = re.sub(r"_t-1$", "_{t+1}" if reverse else "_{t-1}", symbol)
        found[name] = Node(name, written, kind, rule, values, grad)
    if experiment.bptt_window and done and done % experiment.bptt_window == 0:  # truncated: nothing goes back from here
        none = {name: np.zeros(H) for name in found if name.startswith("past ")}
        found |= {name: found[name]._replace(grad=zero) for name, zero in none.items()}
        wires = [wire._replace(grad=none.get(wire.source, wire.grad)) for wire in wires]
    nodes = [node for name, node in found.items() for node in (*operations.get(name, []), node)]
    return Anatomy(
        nodes,
        wires,
        [
            Line(
                name,
                _turned(lines[name]) if reverse else lines[name],
                known[symbol].detach().expand(H).numpy(),
                term,
                runs[name].numbers(H),
            )
            for name, (symbol, term) in read.items()
        ],
    )


def _turned(latex: str) -> str:
    """An equation of a layer that reads from the end: its past lies one step later, and begins behind the last one."""
    return re.sub(r"_0\b", "_{T+1}", latex.replace("{t-1}", "{t+1}"))


# Reading LaTeX


@dataclass(frozen=True, eq=False)
class Term:
    """A node of a parsed right-hand side; two equal ones in two places are two terms."""

    kind: Literal["symbol", "number", "infinity", "sum", "product", "apply", "call", "max", "fraction"]
    parts: tuple[Term, ...] = ()
    text: str = ""
    signs: tuple[int, ...] = ()

    def symbols(self) -> Iterator[str]:
        """The plain name of every symbol in it."""
        if self.kind == "symbol":
            yield self.text
        for part in self.parts:
            yield from part.symbols()


def _plain(symbol: str) -> str:
    return symbol.replace("{", "").replace("}", "")


class _Reader:
    """Sums of products; a product is matrices before a vector, or vectors around ``\\odot``; functions, fractions, max."""

    def __init__(self, latex: str, activation: str):
        self._latex, self._place = latex, 0
        self._tokens = TOKEN.findall(latex)
        if re.sub(r"\s", "", "".join(self._tokens)) != re.sub(r"\s", "", latex):
            raise SyntaxError(f"not understood: {latex}")

    def equation(self) -> tuple[str, Term]:
        """The plain symbol on the left, and the right-hand side."""
        left = self._take()
        if left in PARTS:
            left += f" {self._take()}"
        self._expect("=")
        right = self._sum()
        if self._peek():
            raise SyntaxError(f"{self._peek()} is out of place: {self._latex}")
        return _plain(left), right

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self) -> str:
        self._place += 1
        return self._tokens[self._place - 1]

    def _expect(self, wanted: str) -> None:
        if not self._peek() or self._take() != wanted:
            raise SyntaxError(f"{wanted} is missing: {self._latex}")

    def _group(self, opened: str = "(", closed: str = ")") -> Term:
        self._expect(opened)
        inside = self._sum()
        self._expect(closed)
        return inside

    def _sum(self) -> Term:
        signs, parts = [1], []
        if self._peek() == "-":
            self._take()
            signs = [-1]
        parts.append(self._product())
        while self._peek() in ("+", "-"):
            signs.append(1 if self._take() == "+" else -1)
            parts.append(self._product())
        return parts[0] if signs == [1] else Term("sum", tuple(parts), signs=tuple(signs))

    def _product(self) -> Term:
        parts = [self._applied()]
        while self._peek() == r"\odot":
            self._take()
            parts.append(self._applied())
        return parts[0] if len(parts) == 1 else Term("product", tuple(parts))

    def _applied(self) -> Term:
        parts = [self._atom()]
        while self._begins_an_atom():
            parts.append(self._atom())
        return parts[0] if len(parts) == 1 else Term("apply", tuple(parts))

    def _begins_an_atom(self) -> bool:
        token = self._peek()
        named = (r"\max", r"\frac", r"\infty", r"\phi", *FUNCTIONS)
        return token == "(" or token in named or bool(re.fullmatch(SYMBOL + r"|\d.*", token))

    def _atom(self) -> Term:
        if self._peek() == "(":
            return self._group()
        token = self._take()
        if token == r"\max":
            self._expect("(")
            one = self._sum()
            self._expect(",")
            other = self._sum()
            self._expect(")")
            return Term("max", (one, other))
        if token == r"\frac":
            return Term("fraction", (self._group("{", "}"), self._group("{", "}")))
        if token == r"\infty":
            return Term("infinity")
        if token == r"\phi" or token in FUNCTIONS:
            return Term("call", (self._group(),), token)
        if token[0].isdigit():
            return Term("number", text=token)
        if not re.fullmatch(SYMBOL, token):
            raise SyntaxError(f"{token} is out of place: {self._latex}")
        return Term("symbol", text=_plain(token))


def _constants(cell: Cell, weights: Mapping[str, Tensor], symbols: Mapping[str, str]) -> dict[str, Tensor]:
    """A layer's weights under the symbols of the equations.

    W_ix and W_hx are the rows of block x, b_x its bias; `B_re` and `B_im` make a complex B; `nu_log` is `\\nu^\\log`; any
    other parameter goes by its own name.
    """
    values = {"i": torch.tensor(1j, dtype=torch.complex128)}
    own = dict(weights)
    for name, stem in (("W_ih", "W_i"), ("W_hh", "W_h"), ("b", "b_")):
        if name not in own:
            continue
        for block, rows in zip(cell.blocks, own.pop(name).chunk(len(cell.blocks)), strict=True):
            symbol = symbols[block].removeprefix(r"\tilde ") if block in symbols else cell.states[0]
            values[stem + symbol.split("_")[0].rstrip("'")] = rows
            if len(cell.blocks) == 1:
                values[name] = rows
    for name, value in own.items():
        stem, _, part = name.rpartition("_")
        if part == "re":
            values[stem] = torch.complex(value, own[f"{stem}_im"])
        elif part == "log":
            values[rf"\{stem}^\log"] = value
        elif part != "im":
            values[name] = value
    return values


# Running and differentiating one line


class _Run:
    """The value of every term of one line, and, after `back`, its gradient."""

    def __init__(self, known: Mapping[str, Tensor], activation: str):
        self._known = known
        self._functions = FUNCTIONS | {r"\phi": ACTIVATIONS[activation]}
        self._activation = activation
        self.made: dict[Term, Tensor] = {}
        self.leaves: dict[Term, list[tuple[str, Tensor]]] = {}
        self._grads: dict[Tensor, Tensor] = {}

    def value(self, term: Term) -> Tensor:
        self.made[term] = made = self._value(term)
        return made

    def _value(self, term: Term) -> Tensor:
        if term.kind == "symbol":
            return self._symbol(term)
        if term.kind == "number":
            return torch.tensor(float(term.text), dtype=torch.float64)
        if term.kind == "infinity":
            return torch.tensor(torch.inf, dtype=torch.float64)
        parts = [self.value(part) for part in term.parts]
        if term.kind == "sum":
            total = term.signs[0] * parts[0]
            for sign, part in zip(term.signs[1:], parts[1:], strict=True):
                total = total + sign * part
            return total
        if term.kind == "product":
            product = parts[0]
            for part in parts[1:]:
                product = product * part
            return product
        if term.kind == "apply":
            result = parts[-1]
            for matrix in reversed(parts[:-1]):
                result = matrix * result if matrix.ndim == 0 else matrix @ result.to(matrix.dtype)
            return result
        if term.kind == "call":
            return self._functions[term.text](parts[0])
        return torch.maximum(parts[0], parts[1]) if term.kind == "max" else parts[0] / parts[1]

    def _symbol(self, term: Term) -> Tensor:
        names = [term.text] if term.text in self._known else [f"{part} {term.text}" for part in PARTS]
        self.leaves[term] = [(name, self._known[name].clone()) for name in names]  # each place has its own gradient
        values = [value for _, value in self.leaves[term]]
        return values[0] if len(values) == 1 else torch.complex(values[0], values[1])

    def back(self, root: Term, grad: Tensor) -> None:
        tensors = [*self.made.values(), *(leaf for leaves in self.leaves.values() for _, leaf in leaves)]
        wanted = list({id(tensor): tensor for tensor in tensors if tensor.requires_grad}.values())
        found = torch.autograd.grad(self.made[root], wanted, grad, allow_unused=True)
        self._grads = {tensor: g for tensor, g in zip(wanted, found, strict=True) if g is not None}

    def grad(self, tensor: Tensor) -> Tensor:
        return self._grads.get(tensor, torch.zeros_like(tensor)).detach()

    def occurrences(self) -> Iterator[tuple[str, Tensor]]:
        for leaves in self.leaves.values():
            for name, leaf in leaves:
                yield name, self.grad(leaf)

    def numbers(self, H: int) -> dict[Term, np.ndarray]:
        """What a line in numbers needs: every term's value for each unit; matrices and inputs are not printed."""
        flat = {term: value.detach() for term, value in self.made.items() if value.ndim < 2}
        names = {r"\phi": ACTIVATION_LATEX[self._activation]}
        values = {term: value.expand(H).numpy() for term, value in flat.items() if value.ndim == 0 or len(value) == H}
        return _Numbers(values, names)


class _Numbers(dict[Term, np.ndarray]):
    """Values by term, and how functions are written."""

    def __init__(self, values: Mapping[Term, np.ndarray], functions: Mapping[str, str]):
        super().__init__(values)
        self.functions = functions


# The graph of one line


class _Drawn:
    """The operations of one line and the wires into them and into the line's own symbol."""

    def __init__(self, name: str, symbol: str, run: _Run, at: Mapping[str, str], H: int):
        self._name, self._run, self._at, self._H = name, run, at, H
        self._imaginary = symbol.startswith(r"\Im")
        self.nodes: list[Node] = []
        self.wires: list[Wire] = []

    def line(self, term: Term) -> str:
        """Feed the line's symbol; what is done last is its rule."""
        if term.kind in ("symbol", "apply") or (term.kind == "sum" and len(self._live(term)) == 1):
            self._feed(term, self._name, None)
            return "+" if term.kind == "sum" else ""
        self._feed_parts(term, self._name)
        return self._sign(term)

    def _live(self, term: Term) -> list[Term]:
        """The parts that are no constants."""
        return [part for part in term.parts if self._run.made[part].requires_grad]

    def _sign(self, term: Term) -> str:
        if term.kind == "call":
            if term.text == r"\phi":
                return {"linear": "id"}.get(self._run._activation, SIGNS.get(rf"\{self._run._activation}", "φ"))
            return SIGNS[term.text]
        if term.kind == "sum" and len(self._live(term)) == 1:
            return "1 −"
        return {"sum": "+", "product": "⊙", "max": "max", "fraction": "÷"}[term.kind]

    def _feed_parts(self, term: Term, into: str) -> None:
        for part in self._live(term):
            # What a function adds up first is not drawn by itself.
            if term.kind == "call" and part.kind == "sum":
                self._feed_parts(part, into)
            else:
                self._feed(part, into, None)

    def _feed(self, term: Term, into: str, through: Term | None) -> None:
        """Draw `term` and a wire from it `into` a node. `through`: the term behind the weights on the way there."""
        behind = through or term
        if not self._run.made[term].requires_grad:
            return
        if term.kind == "symbol":
            leaves = self._run.leaves[term]
            for symbol, leaf in leaves:
                from_input = symbol == "x_t"
                value = self._run.made[behind] if len(leaves) == 1 else leaf
                grad = self._run.grad(self._run.made[behind]) if from_input else self._run.grad(leaf)
                self.wires.append(Wire(self._at[symbol], into, self._real(value), self._real(grad)))
            return
        live = self._live(term)
        plain_sum = term.kind == "sum" and -1 not in term.signs
        if len(live) == 1 and (term.kind in ("apply", "product") or plain_sum):
            self._feed(live[0], into, behind)
            return
        name = f"{self._name} {len(self.nodes) + 1}"
        made = self._run.made[term]
        node = Node(name, "", "operation", self._sign(term), self._real(made), self._real(self._run.grad(made)))
        self.nodes.append(node)
        self._feed_parts(term, name)
        self.wires.append(Wire(name, into, self._real(self._run.made[behind]), node.grad))

    def _real(self, tensor: Tensor) -> np.ndarray:
        value = tensor.detach()
        if value.is_complex():
            value = value.imag if self._imaginary else value.real
        shown: np.ndarray = value.expand(self._H).numpy()
        return shown


# Printing numbers


def latex_number(value: complex) -> str:
    """At most 3 significant digits, as LaTeX."""
    if isinstance(value, complex | np.complexfloating):
        sign = "-" if value.imag < 0 else "+"
        return rf"({latex_number(value.real)} {sign} {latex_number(abs(value.imag))}\,i)"
    if np.isinf(value):
        return r"\infty" if value > 0 else r"-\infty"
    mantissa, _, power = f"{value:.3g}".partition("e")
    mantissa = "0" if mantissa == "-0" else mantissa
    return rf"{mantissa} \times 10^{{{int(power)}}}" if power else mantissa


def _printed(term: Term, made: Mapping[Term, np.ndarray], unit: int, fold: bool) -> str:
    def number(of: Term) -> str:
        value = made[of][unit]
        return latex_number(complex(value) if np.iscomplexobj(value) else float(value))

    def factor(of: Term) -> str:
        said = _printed(of, made, unit, fold)
        return rf"\left({said}\right)" if of.kind == "sum" or said.startswith("-") else said

    if term.kind == "infinity":
        return r"\infty"
    if term.kind == "number":
        return term.text
    if term.kind == "apply" and term.parts[0].text == "i":
        return rf"i \cdot {factor(term.parts[1])}"
    if term.kind in ("symbol", "apply"):
        return number(term)
    if term.kind == "sum":
        said = ""
        for sign, part in zip(term.signs, term.parts, strict=True):
            one = _printed(part, made, unit, fold)
            if part.kind == "sum":
                one = rf"\left({one}\right)"
            elif one.startswith("-"):
                sign, one = -sign, one[1:].lstrip()
            said += f" {'-' if sign < 0 else '+'} {one}" if said else f"{'-' if sign < 0 else ''}{one}"
        return said
    if term.kind == "product":
        return r" \cdot ".join(factor(part) for part in term.parts)
    inner = [number(part) if fold else _printed(part, made, unit, fold) for part in term.parts]
    if term.kind == "call":
        written = made.functions.get(term.text, term.text) if isinstance(made, _Numbers) else term.text
        return rf"{written}\left({inner[0]}\right)"
    if term.kind == "max":
        return rf"\max\left({inner[0]},\ {inner[1]}\right)"
    return rf"\frac{{{inner[0]}}}{{{inner[1]}}}"

"""A model as canonical text and as a Mermaid drawing."""

from __future__ import annotations

from dataclasses import fields

from exmc.ir.declarations import Declarations, parents
from exmc.ir.expressions import Apply, Constant, Expression, Reference, Slice
from exmc.ir.laws import call_in
from exmc.ir.loops import Body, loop_body, parts_of
from exmc.ir.nodes import NO_JACOBIAN, Argument, Call, Data, Deterministic, Node, Observation, RandomVariable
from exmc.ir.types import Dims

# Python's binding strengths, so that the printed text parses back to the same tree.
_BINARY = {
    "logical_or": ("|", 1),
    "logical_and": ("&", 2),
    "less": ("<", 0),
    "less_equal": ("<=", 0),
    "greater": (">", 0),
    "greater_equal": (">=", 0),
    "equal": ("==", 0),
    "not_equal": ("!=", 0),
    "add": ("+", 3),
    "subtract": ("-", 3),
    "multiply": ("*", 4),
    "divide": ("/", 4),
    "floor_divide": ("//", 4),
    "mod": ("%", 4),
    "matmul": ("@", 4),
    "power": ("**", 6),
}
_UNARY = {"negative": ("-", 5), "logical_not": ("~", 5)}
_ATOM = 9
_MERMAID_WORDS = frozenset(
    {"call", "class", "click", "default", "end", "flowchart", "graph", "href", "style", "subgraph"}
)


def expression_text(expression: Expression) -> str:
    """`expression` in the notation that `exmc.ir.parse.parse_expression` reads back to the same tree, loops aside."""
    return _write(expression)[0]


def model_text(model: Declarations) -> str:
    """`model` in one canonical text: coordinates, data, then one line a variable."""
    lines = [f"{dim} in [{', '.join(map(str, labels))}]" for dim, labels in model.coords.items()]
    lines += [_data_text(d) for d in model.data.values()]
    lines += [node_text(n) for n in model.nodes]
    return "\n".join(lines) + "\n"


def node_text(node: Node) -> str:
    """One line for `node`: ``theta[school] ~ Normal(mu=mu, sigma=tau)``."""
    if isinstance(node, Deterministic):
        notes = [text for text, said in (("potential", node.potential), ("not kept", not node.keep)) if said]
        hidden = f"  ({', '.join(notes)})" if notes else ""
        return f"{node.name}{_dims_text(node.dims)} = {expression_text(node.expression)}{hidden}"
    if isinstance(node, RandomVariable):
        notes = [f"shape {node.shape}"] if node.shape is not None else []
        notes += [f"transform {node.transform}"] if node.transform is not None else []
        notes += [node.centering] if node.centering != "auto" else []
        tail = f"  ({', '.join(notes)})" if notes else ""
        return f"{node.name}{_dims_text(node.dims)} ~ {call_text(node.call)}{tail}"
    target = call_text(node.target) if isinstance(node.target, Call) else node.target.name
    notes = [f"weight {expression_text(node.weight)}"] if node.weight is not None else []
    notes += [f"mask {expression_text(node.mask)}"] if node.mask is not None else []
    if node.log_jacobian != NO_JACOBIAN:
        notes.append(f"log Jacobian {expression_text(node.log_jacobian)}")
    notes += ["joint"] if node.joint else []
    tail = f"  ({', '.join(notes)})" if notes else ""
    return f"{node.name}{_dims_text(node.dims)}: {expression_text(node.value)} ~ {target}{tail}"


def call_text(call: Call) -> str:
    """``Normal(mu=mu, sigma=tau)``, ``Truncated(of=Normal(mu=0, sigma=1), lower=0)``."""
    return f"{call.distribution}({', '.join(f'{k}={_argument_text(a)}' for k, a in call.parameters)})"


def _argument_text(argument: Argument) -> str:
    if isinstance(argument, Call):
        return call_text(argument)
    if isinstance(argument, tuple):
        return f"[{', '.join(call_text(call) for call in argument)}]"
    return repr(argument) if isinstance(argument, str) else expression_text(argument)


def mermaid(model: Declarations) -> str:
    """`model` as a Mermaid flowchart: data are boxes, free variables round, observed ones filled."""
    lines = ["flowchart TD"]
    observed = model.observed_targets
    for data in model.data.values():
        lines.append(f'  {_node_id(data.name)}["{data.name}"]:::data')
    for node in model.nodes:
        label = _escape(node_text(node))
        if isinstance(node, Deterministic):
            lines.append(f'  {_node_id(node.name)}{{{{"{label}"}}}}')
        else:
            style = ":::observed" if isinstance(node, Observation) or node.name in observed else ""
            lines.append(f'  {_node_id(node.name)}(["{label}"]){style}')
    for node in model.nodes:
        lines += [f"  {_node_id(parent)} --> {_node_id(node.name)}" for parent in parents(node)]
    lines.append("  classDef data fill:#eee,stroke:#999")
    lines.append("  classDef observed fill:#cde,stroke:#369")
    return "\n".join(lines) + "\n"


def _node_id(name: str) -> str:
    """`name` where Mermaid takes no word of its own for it."""
    return f"node_{name}" if name.lower() in _MERMAID_WORDS else name


def _write(expression: Expression) -> tuple[str, int]:
    """Text and binding strength."""
    if isinstance(expression, Constant):
        text = repr(expression.value)
        return text, 5 if text.startswith("-") else _ATOM
    if isinstance(expression, Reference):
        return expression.name, _ATOM
    if isinstance(expression, Slice):
        bounds = [expression.start, expression.stop]
        text = ":".join("" if b is None else str(b) for b in bounds)
        return (text if expression.step is None else f"{text}:{expression.step}"), _ATOM
    assert isinstance(expression, Apply)
    body = loop_body(expression)
    if body is not None:
        return _write_loop(expression, body), _ATOM
    operands = expression.operands
    if expression.operation == "log_density":
        return f"log_density({_write(operands[0])[0]}, {call_text(call_in(expression))})", _ATOM
    if expression.operation in _BINARY and len(operands) == 2:
        return _write_binary(*_BINARY[expression.operation], *operands)
    # "-1" would be read as the constant -1, also in parentheses: such a sign is written as a function.
    folded = expression.operation == "negative" and isinstance(operands[0], Constant)
    if expression.operation in _UNARY and not folded:
        sign, strength = _UNARY[expression.operation]
        return f"{sign}{_wrapped(operands[0], strength)}", strength
    if expression.operation == "index":
        keys = ", ".join(_write(k)[0] for k in operands[1:])
        return f"{_wrapped(operands[0], _ATOM)}[{keys}]", _ATOM
    parts = [_write(o)[0] for o in operands]
    parts += [f"{key}={value!r}" for key, value in expression.options]
    return f"{expression.operation}({', '.join(parts)})", _ATOM


def _write_loop(expression: Apply, body: Body) -> str:
    """A loop by the keys a user writes: ``scan(carry={s: 0.0}, sequences={y: y}, step={s: s + y}, output=s)``."""
    sections: dict[str, str] = {}
    for place, part in parts_of(expression, body):
        text = _write(part)[0]
        if len(place) == 1:
            sections[place[0]] = text
        else:
            before = f"{sections[place[0]][1:-1]}, " if place[0] in sections else ""
            sections[place[0]] = f"{{{before}{place[1]}: {text}}}"
    others = {f.name: getattr(body, f.name) for f in fields(body) if f.name not in ("captured", *sections)}
    given = {key: str(value) for key, value in others.items() if value not in (None, ())}
    return f"{body.operation}({', '.join(f'{key}={text}' for key, text in (sections | given).items())})"


def _write_binary(sign: str, strength: int, left: Expression, right: Expression) -> tuple[str, int]:
    if strength == 0:  # comparisons do not chain
        return f"{_wrapped(left, 1)} {sign} {_wrapped(right, 1)}", 0
    if sign == "**":
        return f"{_wrapped(left, 7)}{sign}{_wrapped(right, 5)}", strength
    return f"{_wrapped(left, strength)} {sign} {_wrapped(right, strength + 1)}", strength


def _wrapped(expression: Expression, loosest: int) -> str:
    text, strength = _write(expression)
    return text if strength >= loosest else f"({text})"


def _dims_text(dims: Dims | None) -> str:
    return f"[{', '.join(d or '?' for d in dims)}]" if dims else ""


def _data_text(data: Data) -> str:
    source = f"  (from {data.source})" if data.source else ""
    return f"{data.name}{_dims_text(data.dims)}: {data.kind} {data.values.shape}{source}"


def _escape(text: str) -> str:
    for character, name in (("#", "#35;"), ("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(character, name)
    return text

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from exmc.ir.expressions import Apply, Constant, Reference, Slice, apply
from exmc.ir.infer import infer_types
from exmc.ir.loops import loop_body
from exmc.ir.operations import OPERATIONS, evaluate
from exmc.ir.parse import parse_expression
from exmc.predictive.batch import RULES, Batch
from exmc.predictive.batch import evaluate as evaluate_batch
from tests.ir.sequential import SEQUENTIAL

SAMPLES = 7
RNG = np.random.default_rng(0)
# Values in (0, 1) lie in the domain of every operation but logit's and log's edges.
CONSTANTS: dict[str, Any] = {
    "k": np.array([2, 0, 1, 1]),
    "X": RNG.uniform(0.1, 0.9, (4, 3)),
    "w": RNG.uniform(0.1, 0.9, 4),
    "E": np.eye(3),
    "i": np.int64(1),
}
SHAPES = {"s": (), "t": (), "v": (3,), "u": (3,), "A": (4, 3), "B": (3, 3), "C": (2, 3, 4)}
DRAWS = {name: RNG.uniform(0.1, 0.9, (SAMPLES, *shape)) for name, shape in SHAPES.items()}
DRAWN_KEYS = {"j": RNG.integers(0, 3, (SAMPLES, 5)), "one": RNG.integers(0, 3, SAMPLES)}


def check(expression: Any) -> None:
    """The batch must equal the samples done one by one, up to the order of a sum."""
    values = CONSTANTS | {name: Batch(draws) for name, draws in (DRAWS | DRAWN_KEYS).items()}
    found = evaluate_batch(expression, values, SAMPLES)
    assert isinstance(found, Batch)
    for sample in range(SAMPLES):
        one = CONSTANTS | {name: draws[sample] for name, draws in (DRAWS | DRAWN_KEYS).items()}
        expected = np.asarray(evaluate(expression, one))
        assert found.values[sample].shape == expected.shape
        np.testing.assert_allclose(found.values[sample], expected, rtol=4e-15, atol=0)


_STATIONARY = ("exp_quad", "matern12", "matern32", "matern52")
SPECIAL = {
    "matmul": ["matmul(A, v)", "matmul(v, B)", "matmul(v, u)", "matmul(A, B)", "X @ v", "w @ A", "A @ B[0]", "X @ B"],
    "dot": ["dot(v, u)", "dot(A, v)"],
    "expand_dims": ["expand_dims(A, axis=1)", "v[:, None]", "expand_dims(v, axis=-1)"],
    "transpose": ["transpose(A)", "transpose(v)", "transpose(C)"],
    "concatenate": ["concatenate(s, v, 1.0)", "concatenate(X[0], v)", "concatenate(w, t)", "concatenate(X, A, axis=1)"],
    "stack": ["stack(v, u)", "stack(v, E[0], axis=1)", "stack(s, 1.0)"],
    "sd": ["sd(v)", "sd(A, axis=0)", "sd(A)"],
    "kron": ["kron(A, B)", "kron(E, A)"],
    "len": ["len(v)", "len(A)"],
    "floor_divide": ["j // 2"],
    "mod": ["j % 2"],
    "index": [
        "v[k]", "v[0]", "v[-1]", "A[:, 1]", "A[k, k[0]]", "A[1:3]", "A[1:3, k[1:]]", "C[:, k[:2], :]", "C[k[1], :, k]",
        "C[0, :, 1]", "X[j]", "w[one]", "X[one, 0]", "A[j, 0]", "v[i]", "C[::2]",
    ],
    "where": ["where(v > u, v, 0.0)", "where(w > 0.5, s, 1.0)", "where(s > t, A, v)"],
    "softmax": ["softmax(v)", "softmax(A, axis=0)", "softmax(A, axis=1)"],
    "cholesky": ["cholesky(outer(v, v) + E)"],
    "solve_triangular": ["solve_triangular(cholesky(outer(v, v) + E), u)", "solve_triangular(E, v)"],
    "solve_posdef": ["solve_posdef(outer(v, v) + E, u)"],
    "inverse_posdef": ["inverse_posdef(outer(v, v) + E)"],
    "logdet": ["logdet(outer(v, v) + E)"],
    "diag": ["diag(B)", "diag(v)"],
    "outer": ["outer(v, u)", "outer(w, v)"],
    "arccosh": ["arccosh(1.0 + v)"],
    "solve": ["solve(B + E, u)"],
    "inverse": ["inverse(B + E)"],
    "logabsdet": ["logabsdet(B + E)"],
    "standard_deviations": ["standard_deviations(B + E)"],
    "correlations": ["correlations(B + E)"],
    **{n: [f"{n}(v, s, t)", f"{n}(w, v, s, t)", f"{n}(A, s, v)"] for n in _STATIONARY},
    **{n: [f"{n}(v, s, t, 1.5)", f"{n}(X, s, v, t)"] for n in ("rational_quadratic", "periodic")},
    "linear": ["linear(v, s)", "linear(X, A, v)"],
    "white_noise": ["white_noise(w, s)", "white_noise(X, w * s)"],
    "hsgp_basis": ["hsgp_basis(v, 1 + s, m=4)", "hsgp_basis(A, 1 + v, m=[2, 3, 1])"],
    **{f"hsgp_{n}": [f"hsgp_{n}(s, t, s, m=4)", f"hsgp_{n}(1 + v, t, u, m=[2, 3, 1])"] for n in _STATIONARY},
    **{n: [f"{n}(v)", f"{n}(A, axis=0)", f"{n}(A, axis=-1)"] for n in ("cumprod", "sort", "log_softmax")},
    "cumsum": ["cumsum(v)", "cumsum(A, axis=0)", "cumsum(A, axis=-1)"],
}  # fmt: skip


@pytest.mark.parametrize("text", [text for texts in SPECIAL.values() for text in texts])
def test_operations_with_rules_of_their_own(text: str) -> None:
    check(parse_expression(text))


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - set(SPECIAL)))
def test_every_other_operation(name: str) -> None:
    operation = OPERATIONS[name]
    if "axis" in operation.options:
        for operand in ("s", "v", "A", "C"):
            check(apply(name, Reference(operand)))
        for axis in (0, 1, -1, -2):
            check(apply(name, Reference("A"), axis=axis))
        return
    if operation.least == 1:
        for operand in ("s", "v", "C"):
            check(apply(name, Reference(operand)))
        return
    for left, right in [("s", "v"), ("v", "s"), ("A", "v"), ("X", "s"), ("v", "X"), ("C", "s"), ("s", "w"), ("A", "A")]:
        check(apply(name, Reference(left), Reference(right)))
    check(apply(name, Constant(2.0), Reference("v")))


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_without_a_rule_is_done_one_by_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RULES, name)
    if name in SPECIAL:
        check(parse_expression(SPECIAL[name][0]))
    elif OPERATIONS[name].least == 1:
        check(apply(name, Reference("v")))
    else:
        check(apply(name, Reference("v"), Reference("s")))


def test_every_operation_has_a_rule() -> None:
    assert set(RULES) == set(OPERATIONS)


@pytest.mark.parametrize("name", ["garch", "local level", "predators"])
def test_loops_are_done_one_by_one_or_by_whoever_is_asked(name: str) -> None:
    model = SEQUENTIAL[name]().build()
    values: dict[str, Any] = {n: d.values for n, d in model.data.items()}
    types = infer_types(model)
    draws = {v.name: RNG.uniform(0.2, 0.4, (3, *types[v.name].shape)) for v in model.free}
    loop = next(n for n in model.deterministics if loop_body(n.expression))
    batches = values | {n: Batch(d) for n, d in draws.items()}
    found = evaluate_batch(loop.expression, batches, 3)
    for sample in range(3):
        expected = evaluate(loop.expression, values | {n: d[sample] for n, d in draws.items()})
        np.testing.assert_array_equal(found.values[sample], expected)

    def asked(body: Any, operands: list[Any], varying: list[bool]) -> Any:
        assert len(operands) == len(varying) == len(body.places)
        assert all(len(o) == 3 for o, varies in zip(operands, varying, strict=True) if varies)
        return np.zeros((3, 1))

    np.testing.assert_array_equal(evaluate_batch(loop.expression, batches, 3, asked).values, np.zeros((3, 1)))
    declined = evaluate_batch(loop.expression, batches, 3, lambda *_: None)
    np.testing.assert_array_equal(declined.values, found.values)


def test_what_no_sample_changes_stays_one_value() -> None:
    found = evaluate_batch(parse_expression("sum(w) + 2 * X[0, 1]"), CONSTANTS, SAMPLES)
    assert not isinstance(found, Batch)
    assert evaluate_batch(Constant(3.0), {}, SAMPLES) == 3.0
    key = Apply("index", (Reference("w"), Slice(0, 2)))
    np.testing.assert_array_equal(evaluate_batch(key, CONSTANTS, SAMPLES), CONSTANTS["w"][:2])

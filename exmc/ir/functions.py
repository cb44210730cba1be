"""Functions on expressions, for models written in Python: ``exp(ref("x"))``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exmc.ir.expressions import Expression, apply


def _function(name: str) -> Callable[..., Expression]:
    def function(*operands: Any, **options: Any) -> Expression:
        return apply(name, *operands, **options)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The operation `{name}` of the table `exmc.ir.operations.OPERATIONS`."
    return function


equal = _function("equal")
not_equal = _function("not_equal")
exp = _function("exp")
log = _function("log")
log1p = _function("log1p")
expm1 = _function("expm1")
sqrt = _function("sqrt")
square = _function("square")
sin = _function("sin")
cos = _function("cos")
tan = _function("tan")
arcsin = _function("arcsin")
arccos = _function("arccos")
arctan = _function("arctan")
sinh = _function("sinh")
cosh = _function("cosh")
tanh = _function("tanh")
sign = _function("sign")
sigmoid = _function("sigmoid")
logit = _function("logit")
log_sigmoid = _function("log_sigmoid")
softplus = _function("softplus")
gammaln = _function("gammaln")
digamma = _function("digamma")
erf = _function("erf")
erfc = _function("erfc")
ndtr = _function("ndtr")
log_ndtr = _function("log_ndtr")
minimum = _function("minimum")
maximum = _function("maximum")
logaddexp = _function("logaddexp")
xlogy = _function("xlogy")
where = _function("where")
sum = _function("sum")
prod = _function("prod")
mean = _function("mean")
max = _function("max")
min = _function("min")
logsumexp = _function("logsumexp")
cumsum = _function("cumsum")
softmax = _function("softmax")
matmul = _function("matmul")
dot = _function("dot")
transpose = _function("transpose")
concatenate = _function("concatenate")
cholesky = _function("cholesky")
solve_triangular = _function("solve_triangular")
solve_posdef = _function("solve_posdef")
inverse_posdef = _function("inverse_posdef")
logdet = _function("logdet")
diag = _function("diag")
outer = _function("outer")

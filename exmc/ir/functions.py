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
arcsinh = _function("arcsinh")
arccosh = _function("arccosh")
arctanh = _function("arctanh")
arctan2 = _function("arctan2")
floor = _function("floor")
ceil = _function("ceil")
sign = _function("sign")
sigmoid = _function("sigmoid")
logit = _function("logit")
log_sigmoid = _function("log_sigmoid")
softplus = _function("softplus")
gammaln = _function("gammaln")
digamma = _function("digamma")
trigamma = _function("trigamma")
betaln = _function("betaln")
log1mexp = _function("log1mexp")
i0e = _function("i0e")
i1e = _function("i1e")
erf = _function("erf")
erfc = _function("erfc")
ndtr = _function("ndtr")
log_ndtr = _function("log_ndtr")
ndtri = _function("ndtri")
erfinv = _function("erfinv")
minimum = _function("minimum")
maximum = _function("maximum")
logaddexp = _function("logaddexp")
logdiffexp = _function("logdiffexp")
xlogy = _function("xlogy")
xlog1py = _function("xlog1py")
where = _function("where")
sum = _function("sum")
prod = _function("prod")
mean = _function("mean")
max = _function("max")
min = _function("min")
logsumexp = _function("logsumexp")
cumsum = _function("cumsum")
cumprod = _function("cumprod")
sort = _function("sort")
softmax = _function("softmax")
log_softmax = _function("log_softmax")
matmul = _function("matmul")
dot = _function("dot")
transpose = _function("transpose")
expand_dims = _function("expand_dims")
concatenate = _function("concatenate")
cholesky = _function("cholesky")
solve_triangular = _function("solve_triangular")
solve_posdef = _function("solve_posdef")
inverse_posdef = _function("inverse_posdef")
logdet = _function("logdet")
solve = _function("solve")
inverse = _function("inverse")
logabsdet = _function("logabsdet")
diag = _function("diag")
outer = _function("outer")

"""The branch-free functions that LLVM inlines into loops and vectorises, and what they need.

The C library's functions are called for one element after the other, and a loop with a call stays scalar. These hold
to about one unit in the last place over the whole range, special values and subnormal numbers included. Scalar code
calls the C library.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from exmc.compile.vector_elementary import ELEMENTARY
from exmc.compile.vector_gamma import GAMMA

VECTOR_FUNCTIONS: Mapping[str, str] = MappingProxyType({**ELEMENTARY, **GAMMA})
"""The definition of `exmc_vector_NAME` for each function NAME that has one: of the C library or scipy, or of SCALAR."""

SCALAR: Mapping[str, str] = MappingProxyType({"log1p_unit": "log1p"})
"""What scalar code calls for the functions that no library has."""

VECTOR_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"tanh": ("expm1",), "gammaln": ("log",), "digamma": ("log",)}
)
"""Which others a function calls."""

VECTOR_INTRINSICS: Mapping[str, str] = MappingProxyType(
    {
        "llvm.fabs.f64": "declare double @llvm.fabs.f64(double)",
        "llvm.rint.f64": "declare double @llvm.rint.f64(double)",
        "llvm.copysign.f64": "declare double @llvm.copysign.f64(double, double)",
    }
)
"""The declarations that the definitions need."""

VECTOR_ATTRIBUTES = "attributes #3 = { alwaysinline nounwind willreturn memory(none) }"

"""Standard variables of a family, and what is computed from them."""

from __future__ import annotations

from exmc.ir.expressions import Constant, ref
from exmc.ir.nodes import Call, Deterministic, RandomVariable
from exmc.ir.types import ArrayType
from exmc.rewrite.standard import split_by_scale, standard_normals


def test_standard_normals_have_the_type_that_is_asked_for() -> None:
    standard = Call("Normal", (("mu", Constant(0.0)), ("sigma", Constant(1.0))))
    assert standard_normals("z", ArrayType()) == RandomVariable("z", standard, auxiliary=True)
    named = standard_normals("z", ArrayType((2, 3), ("day", None)))
    assert (named.dims, named.shape) == (("day", None), (2, 3))
    assert standard_normals("z", ArrayType((3,), (None,))).dims is None


def test_other_parameters_and_the_transform_are_kept() -> None:
    call = Call("StudentT", (("nu", Constant(4.0)), ("mu", ref("m")), ("sigma", ref("t"))))
    node = RandomVariable("x", call, transform="identity")
    standard, computed = split_by_scale(node, "x_raw", ArrayType())
    assert standard.call.arguments == {"nu": Constant(4.0), "mu": Constant(0.0), "sigma": Constant(1.0)}
    assert standard.transform == "identity"
    assert computed == Deterministic("x", ref("m") + ref("t") * ref("x_raw"))

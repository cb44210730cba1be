"""The ordered table of rewrite passes, each a pure function from a model to a model with what it changed."""

from __future__ import annotations

from exmc.rewrite.changes import Pass
from exmc.rewrite.default_transforms import default_transforms
from exmc.rewrite.impute import impute
from exmc.rewrite.lift_affine import lift_affine
from exmc.rewrite.lift_matmul import lift_matmul
from exmc.rewrite.marginalize_discrete import marginalize_discrete
from exmc.rewrite.noncenter import noncenter
from exmc.rewrite.normalize_observations import normalize_observations

# First every observation gets a distribution of its own: directly, or by inverting what was observed. Discrete
# variables are summed out, and what is missing becomes a variable. Then each variable that is left free gets the
# parameterisation that suits its data, and last its map from the whole real line.
DEFAULT_PASSES: dict[str, Pass] = {
    "normalize_observations": normalize_observations,
    "marginalize_discrete": marginalize_discrete,
    "impute": impute,
    "lift_affine": lift_affine,
    "lift_matmul": lift_matmul,
    "noncenter": noncenter,
    "default_transforms": default_transforms,
}
"""Every pass by name, in the order in which they run."""

"""A type checker, and so an editor, knows the parameters of distributions, functions and the builder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# What exmc is made with says nothing of its signatures, and takes long to read.
CONFIG = """
[mypy]
follow_imports = silent
[mypy-xarray.*,scipy.*,zarr.*,autograd.*,numba.*,llvmlite.*,arviz_base.*,arviz_stats.*,arviz_plots.*,matplotlib.*]
follow_imports = skip
ignore_missing_imports = true
[mypy-exmc.compile.*,exmc.nuts.*,exmc.sampling.*,exmc.trace.*,exmc.rewrite.*,exmc.diagnostics.*,exmc.predictive.*]
follow_imports = skip
"""

RIGHT = """
import numpy as np

from exmc import Builder, Mixture, Model, Normal, StudentT, Truncated, math, ref

x = ref("x")
curve = math.exp_quad(ref("at"), 1.0, x) + math.where(x > 0, x**2, math.sum(x, axis=0)) // 2
model: Model = (
    Builder()
    .coords(row=["a", "b"])
    .data("at", np.arange(3.0))
    .rv("x", Truncated(Normal(mu=0, sigma=1.0), lower=0.0), dims="row", transform="log")
    .rv("y", Mixture([0.5, 0.5], [Normal("x", 1), StudentT(nu=3)]), observed=[1.0], weight=1.0)
    .rv("z", Normal, mu=curve.T, sigma="x")
    .obs("z_seen", "z", [1.0, 2.0], mask=[True, False])
    .det("twice", 2 * x, keep=False)
    .potential("soft", "-x**2")
    .scan("path", carry={"a": 1.0}, step={"a": "a * x"}, length=3, collect="last")
    .ode("flow", state={"u": 1.0}, derivative={"u": -x * ref("u")}, times=[1.0], method="rodas")
    .build()
)
"""

WRONG = {
    "Normal(mu=0, sigm=1)": 'Unexpected keyword argument "sigm"',
    "Truncated(2.0, lower=0)": 'Argument 1 .* incompatible type "float"; expected "Given"',
    "StudentT(mu=0)": 'Missing positional argument "nu"',
    'Builder().rv("a", Normal, centering="centred")': 'Argument "centering"',
    'Builder().obs("a", target="b", value=[1.0])': "Missing positional argument|Unexpected keyword",
    'Builder().det("a", 1.0, keeps=True)': 'Unexpected keyword argument "keeps"',
    'Builder().scan("a", carry={}, steps={})': 'Unexpected keyword argument "steps"|Missing named argument "step"',
    "math.exp(1.0, 2.0)": 'Too many arguments for "exp"',
    'math.exp("x")': 'Argument 1 to "exp" has incompatible type "str"',
    "math.sum(x, axes=0)": 'Unexpected keyword argument "axes"',
    "math.hsgp_basis(x, 5.0)": 'Missing named argument "m"',
    "math.exponential(x)": 'Module has no attribute "exponential"',
}
"""What is wrong, a line each, and what the checker says."""


def test_a_checker_passes_what_is_right_and_names_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "mypy.ini").write_text(CONFIG)
    (tmp_path / "program.py").write_text(RIGHT + "".join(f"{line}\n" for line in WRONG))
    first = RIGHT.count("\n") + 1
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "program.py"]
    environment = {"MYPYPATH": str(ROOT)}
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert not found.stderr
    said: dict[int, str] = {}
    for line in found.stdout.splitlines():
        if ": error: " in line:
            file, number, message = line.split(":", 2)
            assert file == "program.py"
            said[int(number)] = said.get(int(number), "") + message
    assert said.keys() == set(range(first, first + len(WRONG))), found.stdout
    for message, (line, expected) in zip((said[number] for number in sorted(said)), WRONG.items(), strict=True):
        assert re.search(expected, message), f"{line}: {message}"

"""The rules of the package's layout: who may import whom, third parties in their places, sizes, opening sentences."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 400

# Who may import whom inside exmc. A part is a folder or a single module; each may import itself.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "pace": set(),
    "density": {"pace"},
    "cache": set(),
    "machine_code": {"errors", "cache"},
    "stirling": set(),
    "special": {"errors", "late", "stirling"},
    "linalg": {"errors", "late"},
    "graphs": set(),
    "logspace": {"errors", "special"},
    "covariances": {"special"},
    "hilbert": {"special"},
    "integrators": {"linalg"},
    "transforms": {"special", "linalg", "errors"},
    "imports": {"errors"},
    "garbage": set(),
    "late": {"garbage"},
    "distributions": {"errors", "imports", "late", "special", "linalg", "graphs", "logspace", "transforms"},
    "ir": {
        *("errors", "late", "special", "linalg", "logspace", "covariances", "hilbert", "integrators", "transforms"),
        "distributions",
    },
    "rewrite": {"errors", "late", "ir", "distributions", "transforms"},
    "compile": {
        *("errors", "late", "ir", "distributions", "transforms", "special", "linalg", "logspace", "density", "cache"),
        *("integrators", "machine_code", "graphs", "pace"),
    },
    # Samplers know a density, and nothing of models.
    "nuts": {"errors", "density", "cache", "machine_code", "pace"},
    "sampling": {"errors", "garbage", "density", "nuts"},
    "methods": {"errors", "density", "nuts", "sampling"},
    "trace": {"errors", "late", "ir", "distributions", "sampling", "compile.layout"},
    "diagnostics": {"errors", "late"},
    "predictive": {"errors", "ir", "distributions", "transforms"},
    "viz": {"errors", "diagnostics", "ir"},
    # What puts the parts together in one process.
    "derive": {"errors", "ir", "compile", "predictive", "trace"},
    "prediction": {"errors", "ir", "compile", "sampling", "predictive", "trace", "derive", "inference"},
    "blame": {"errors", "compile"},
    "priors": {"ir", "compile", "predictive", "transforms"},
    "tempering": {"density", "compile", "predictive", "priors"},
    "fitting": {"errors", "compile", "blame", "methods", "sampling", "tempering"},
    "starts": {
        *("errors", "density", "ir", "compile", "fitting", "methods", "predictive", "priors", "sampling", "transforms"),
    },
    "chains": {"errors", "compile", "blame", "density", "nuts", "sampling", "starts"},
    "lengthening": {"chains", "compile", "diagnostics", "sampling", "trace"},
    "inference": {
        *("errors", "ir", "rewrite", "compile", "blame", "sampling", "trace", "predictive", "derive", "diagnostics"),
        *("methods", "fitting", "chains", "late", "lengthening"),
    },
    "calibration": {"chains", "errors", "ir", "compile", "sampling", "predictive", "diagnostics", "inference"},
    "__init__": {"errors", "late", "ir", "compile", "distributions", "inference", "diagnostics", "prediction"},
}
# Commands import what they need when they run: `exmc --help` would else take as long as a sampler does. So do files of
# data: few need pandas or xarray to be read.
LATE_IMPORTS = {
    *("pipelines.cli", "pipelines.commands", "pipelines.arguments", "pipelines.views", "pipelines.guard"),
    "pipelines.tables",
}

# Third parties, and the only modules (or packages, with a trailing dot) that may import them.
THIRD_PARTIES: dict[str, tuple[str, ...]] = {
    "autograd.tracer": ("exmc.compile.tracing", "exmc.compile.oracle"),
    "autograd.core": ("exmc.compile.tracing", "exmc.compile.oracle"),
    # `generate` runs when exmc is developed, never when it is used; `random` is imported by it alone.
    "llvmlite": ("exmc.machine_code", "exmc.nuts.generate"),
    "numba": ("exmc.nuts.generate", "exmc.nuts.random"),
    "zarr": ("exmc.trace.store",),
    "yaml": ("pipelines.yaml_lines",),
    "dask": ("pipelines.cluster",),
    "distributed": tuple(
        f"pipelines.{name}"
        for name in (
            *("cluster", "graph", "tasks", "workers", "fanout", "entrust", "worker", "task_errors"),
            *("topic", "attachment"),
        )
    ),
    "jinja2": ("pipelines.pages", "exmc.viz."),
    "pydantic": ("pipelines.",),
    "typer": ("pipelines.commands", "pipelines.arguments", "pipelines.views"),
    "rich": ("pipelines.",),
    "arviz_base": ("exmc.viz.",),
    "arviz_stats": ("exmc.diagnostics.",),
    "arviz_plots": ("exmc.viz.", "exmc.diagnostics."),
    "matplotlib": ("exmc.viz.",),
    "bokeh": ("exmc.viz.", "pipelines."),
}


@dataclass(frozen=True)
class Import:
    """One imported name, in full, and where it stands."""

    name: str
    line: int
    nested: bool


def modules() -> list[tuple[str, Path]]:
    found = []
    for top in ("exmc", "pipelines"):
        for path in sorted((ROOT / top).rglob("*.py")):
            found.append((".".join(path.relative_to(ROOT).with_suffix("").parts), path))
    return found


def imports_of(path: Path) -> list[Import]:
    """Every import of a file; ``from a import b`` counts as ``a.b`` where that is a module of ours."""
    tree = ast.parse(path.read_text())
    inside = {
        id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef) for n in ast.walk(f)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            names = [_submodule(node.module, alias.name) for alias in node.names]
        else:
            continue
        found += [Import(name, node.lineno, id(node) in inside) for name in names]
    return found


def _submodule(module: str, name: str) -> str:
    folder = ROOT / Path(*module.split("."))
    is_module = (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()
    return f"{module}.{name}" if is_module else module


MODULES = modules()
EXMC = [pytest.param(*m, id=m[0]) for m in MODULES if m[0].startswith("exmc")]
ALL = [pytest.param(*m, id=m[0]) for m in MODULES]


def part_of(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize(("module", "path"), EXMC)
def test_parts_know_only_whom_the_table_allows(module: str, path: Path) -> None:
    part = part_of(module)
    assert part in MAY_IMPORT, f"{part} is new: say in MAY_IMPORT whom it may import"
    for found in imports_of(path):
        root = found.name.split(".")[0]
        assert root != "pipelines", f"{path}:{found.line} imports {found.name}"
        if root != "exmc" or found.name == "exmc":
            continue
        target = part_of(found.name)
        allowed = MAY_IMPORT[part] | {part}
        permitted = target in allowed or any(found.name == f"exmc.{a}" for a in allowed if "." in a)
        assert permitted, f"{path}:{found.line}: {part} may not import {found.name}"


@pytest.mark.parametrize(("module", "path"), ALL)
def test_third_parties_stay_in_their_places(module: str, path: Path) -> None:
    for found in imports_of(path):
        for package, places in THIRD_PARTIES.items():
            if found.name == package or found.name.startswith(f"{package}."):
                allowed = any(module == p or (p.endswith(".") and module.startswith(p)) for p in places)
                assert allowed, f"{path}:{found.line}: {package} belongs to {' and '.join(places)}"


@pytest.mark.parametrize(("module", "path"), ALL)
def test_no_imports_inside_functions(module: str, path: Path) -> None:
    """They hide cycles. `exmc.__init__` imports late by `importlib`, for the time that takes."""
    if module in LATE_IMPORTS:
        return
    nested = [f"{f.name} (line {f.line})" for f in imports_of(path) if f.nested]
    assert not nested, f"{path}: {', '.join(nested)}"


@pytest.mark.parametrize(("module", "path"), ALL)
def test_every_module_opens_with_one_sentence(module: str, path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text()))
    assert text, f"{path} has no docstring"
    first = text.split("\n\n")[0]
    assert first.endswith("."), f"{path}: {first!r}"
    assert "\n" not in first, f"{path}: its responsibility takes more than a line"


@pytest.mark.parametrize(("module", "path"), ALL)
def test_modules_stay_small(module: str, path: Path) -> None:
    length = len(path.read_text().splitlines())
    assert length <= LONGEST, f"{path} has {length} lines: it is more than one thing"


def test_the_parts_have_no_cycle() -> None:
    """Whatever the table says, a folder that imports another is never imported by it."""
    edges: dict[str, set[str]] = {}
    for module, path in MODULES:
        if module.startswith("exmc."):
            names = {i.name for i in imports_of(path) if i.name.startswith("exmc.")}
            edges.setdefault(part_of(module), set()).update(part_of(n) for n in names)
    remaining = {part: targets - {part} for part, targets in edges.items()}
    while remaining:
        leaves = {p for p, targets in remaining.items() if not targets & remaining.keys()}
        assert leaves, f"these import each other: {sorted(remaining)}"
        remaining = {p: t for p, t in remaining.items() if p not in leaves}


def test_the_rules_catch_what_they_forbid(tmp_path: Path) -> None:
    """The reader of imports sees every form of import."""
    path = tmp_path / "module.py"
    path.write_text(
        "import dask.array as da\nfrom exmc import special\n\ndef f():\n    from exmc.nuts.kernel import x\n"
    )
    assert imports_of(path) == [
        Import("dask.array", 1, False),
        Import("exmc.special", 2, False),
        Import("exmc.nuts.kernel", 5, True),
    ]


def test_tests_mirror_the_package() -> None:
    """A folder of tests names a folder of the package, or one of the suites across it."""
    suites = {"conformance", "models", "language", "chaos", "scripts", "pipelines", "configs"}
    parts = {p.name for p in (ROOT / "exmc").iterdir() if p.is_dir()}
    for folder in (ROOT / "tests").iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert folder.name in parts | suites, folder

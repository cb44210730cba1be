"""Whatever a user gets wrong is one clear message with the right exit status, and nothing is written."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipelines.cli import main

GOOD = """\
name: good
model:
  coords: {school: [A, B, C]}
  data:
    effect: {values: [2.0, 0.5, -1.0], dims: [school]}
    error: {path: error.csv, column: error, dims: [school]}
  variables:
    mu: {dist: Normal, mu: 0, sigma: 5}
    tau: {dist: HalfNormal, sigma: 1}
    theta: {dist: Normal, mu: mu, sigma: tau, dims: [school]}
    y: {dist: Normal, mu: theta, sigma: error, observed: effect}
sampler: {draws: 100, warmup: 100, chains: 2, seed: 1}
cluster: {kind: local, workers: 1}
run: {out: out}
"""
CSV = "school,error\nA,1.0\nB,2.0\nC,1.5\n"


@dataclass(frozen=True)
class Bad:
    """One mistake: how the good input is changed, and what the message must hold."""

    name: str
    expected: tuple[str, ...]
    old: str = ""
    new: str = ""
    raw: bytes | None = None
    csv: str | bytes | None = None
    arguments: tuple[str, ...] = ()
    status: int = 2
    files: dict[str, str] = field(default_factory=dict)


def change(name: str, old: str, new: str, *expected: str) -> Bad:
    return Bad(name, expected, old, new)


def whole(name: str, raw: bytes | str, *expected: str) -> Bad:
    return Bad(name, expected, raw=raw if isinstance(raw, bytes) else raw.encode())


def data(name: str, csv: str | bytes, *expected: str) -> Bad:
    return Bad(name, expected, csv=csv)


def option(name: str, value: str, *expected: str) -> Bad:
    return Bad(name, expected, arguments=("--set", value))


TAU, THETA, Y = "{dist: HalfNormal, sigma: 1}", "sigma: tau, dims: [school]", "sigma: error, observed: effect"
SAMPLER = "{draws: 100, warmup: 100, chains: 2, seed: 1}"

TABLE = [
    # Keys
    change("unknown section", "sampler:", "smapler:", "bad.yaml:12: smapler", "unknown key", "'sampler'"),
    change("unknown key", "draws: 100", "draw: 100", ":12: sampler.draw", "unknown key", "'draws'"),
    change("unknown model key", "  coords:", "  coord:", ":3: model.coord", "'coords'"),
    change("unknown nested key", "{out: out}", "{out: out, predictive: {prior_drws: 3}}", "run.predictive.prior_drws",
           ":14:",
           "'prior_draws'"),
    change("unknown key of data", "dims: [school]}\n    error", "dim: [school]}\n    error", "model.data.effect.dim",
           ":5:",
           "'dims'"),
    change("unknown key of a variable", "observed: effect", "observd: effect", ":11: model.variables.y.observd",
           "Normal has no parameter 'observd'", "'observed'"),
    change("misspelt parameter", "mu: 0, sigma: 5", "mu: 0, sgma: 5", ":8: model.variables.mu.sgma", "'sigma'"),
    change("missing parameter", TAU, "{dist: Gamma, alpha: 1}", ":9: model.variables.tau", "(alpha)", "(alpha, beta)"),
    change("key twice", "sampler:", "name: again\nsampler:", ":12: name", "stands twice, on lines 1 and 12"),
    change("no model", GOOD[GOOD.index("model:") : GOOD.index("sampler:")], "", "bad.yaml: ", "'model' is missing"),
    change("no variables", GOOD[GOOD.index("  variables:") : GOOD.index("sampler:")], "", ":2: model", "no variables"),
    change("neither dist nor expr", "dist: HalfNormal", "dits: HalfNormal", ":9: model.variables.tau",
           "has neither dist, expr"),
    change("both dist and expr", "dist: HalfNormal", "expr: mu, dist: HalfNormal", ":9:", "both dist and expr"),
    # Values
    change("misspelt distribution", "HalfNormal", "HalfNorml", ":9: model.variables.tau.dist", "'HalfNorml'",
           "'HalfNormal'"),
    change("parameter out of its support", "HalfNormal, sigma: 1", "HalfNormal, sigma: -1",
           ":9: model.variables.tau.sigma", "-1 is not a positive number"),
    change("zero scale", "HalfNormal, sigma: 1", "HalfNormal, sigma: 0.0", "model.variables.tau.sigma", "0"),
    change("observed out of its support", "y: {dist: Normal, mu: theta, sigma: error", "y: {dist: Exponential, rate: 1",
           ":11: model.variables.y.observed", "-1.0 at [2]"),
    change("bounds the wrong way round", TAU, "{dist: Uniform, low: 2, high: 1}", ":9: model.variables.tau.low",
           "2 is not below"),
    change("a bool is no number", "HalfNormal, sigma: 1", "HalfNormal, sigma: true", ":9: model.variables.tau.sigma",
           "true is not a value"),
    change("null parameter", "HalfNormal, sigma: 1", "HalfNormal, sigma: null", ":9: model.variables.tau.sigma",
           "null"),
    change("text for a number", "draws: 100", "draws: many", ":12: sampler.draws", "'many' is not a whole number"),
    change("quoted number", "draws: 100", "draws: '100'", ":12: sampler.draws", "quotes"),
    change("fraction for a count", "draws: 100", "draws: 10.5", ":12: sampler.draws", "10.5 is not a whole number"),
    change("negative draws", "draws: 100", "draws: -5", ":12: sampler.draws", "-5 is not at least 1"),
    change("bool for a count", "chains: 2", "chains: true", ":12: sampler.chains", "true is not a whole number"),
    change("target out of range", "seed: 1", "target_accept: 1.5", ":12: sampler.target_accept", "1.5 is not below 1"),
    change("misspelt choice", "seed: 1", "metric: dens", ":12: sampler.metric", "'dens'", "Did you mean 'dense'?"),
    change("list for a section", SAMPLER, "[1, 2]", ":12: sampler", "[1, 2] is not a mapping"),
    change("name with a slash", "name: good", "name: a/b", ":1: name", "'a/b' is not a name"),
    change("more chains must finish than there are", "{out: out}", "{out: out, min_chains: 3}", ":14: run.min_chains",
           "3"),
    change("misspelt centering", THETA, THETA + ", centering: noncentred", ":10: model.variables.theta.centering",
           "'noncentered'"),
    change("misspelt transform", "HalfNormal, sigma: 1", "HalfNormal, sigma: 1, transform: lgo",
           ":9: model.variables.tau.transform", "'log'"),
    change("discrete free variable", TAU, "{dist: Poisson, mu: 3}", ":9: model.variables.tau", "discrete"),
    # Distributions among the parameters
    change("misspelt name within", TAU, "{dist: Truncated, of: {dist: Norml, mu: 0}, lower: 0}",
           ":9: model.variables.tau.of.dist", "'Normal'"),
    change("misspelt parameter within", TAU, "{dist: Truncated, of: {dist: Normal, sgma: 1}, lower: 0}",
           ":9: model.variables.tau.of.sgma", "'sigma'"),
    change("value within out of its support", TAU, "{dist: Truncated, of: {dist: Normal, sigma: -1}, lower: 0}",
           ":9: model.variables.tau.of.sigma", "-1 is not a positive number"),
    change("fault in a component", TAU,
           "{dist: Mixture, weights: [0.5, 0.5], components: [{dist: HalfNormal}, {dist: HalfNormal, sigma: q}]}",
           ":9: model.variables.tau.components.1.sigma", "'q'"),
    change("a component that is none", TAU, "{dist: Mixture, weights: [1], components: [{sigma: 1}]}",
           ":9: model.variables.tau.components.0", "is not a distribution"),
    change("a bool within", TAU, "{dist: Truncated, of: {dist: Normal, sigma: true}}",
           ":9: model.variables.tau.of.sigma", "true is not a value"),
    change("a distribution where none is taken", "HalfNormal, sigma: 1", "HalfNormal, sigma: {dist: HalfNormal}",
           ":9: model.variables.tau.sigma", "takes a value"),
    change("both dist and potential", "dist: HalfNormal", "potential: mu, dist: HalfNormal", ":9:", "both dist and"),
    change("a potential of nothing known", TAU, "{potential: muh}", ":9: model.variables.tau.potential", "'mu'"),
    change("a function of one's own that is nowhere", TAU, "{dist: Custom, function: 'nowhere:f'}",
           ":9: model.variables.tau.function", "nowhere"),
    # Shapes, dims, names, references
    change("labels do not fit the data", "[A, B, C]", "[A, B]", "model.data.effect", ":5:", "3 values", "size 2"),
    change("unknown dim", THETA, "sigma: tau, dims: [schol]", ":10: model.variables.theta.dims", "'school'"),
    change("shapes that do not fit", "[2.0, 0.5, -1.0], dims: [school]", "[2.0, 0.5]", ":11: model.variables.y", "(2,)",
           "(3,)"),
    change("dims that do not fit", "mu: 0, sigma: 5}", "mu: 0, sigma: 5, dims: [[school]]}",
           ":8: model.variables.mu.dims"),
    change("too few dims", "[2.0, 0.5, -1.0], dims: [school]", "[[1, 2, 3]], dims: [school]", ":5: model.data.effect",
           "(1, 3)"),
    change("ragged values", "[2.0, 0.5, -1.0]", "[[1, 2], [3]]", ":5: model.data.effect.values", "different lengths"),
    change("label twice", "[A, B, C]", "[A, B, A]", ":3: model.coords.school", "'A' appears twice"),
    change("reserved name", "mu: {dist", "chain: {dist", ":8: model.variables.chain", "reserved"),
    change("name used twice", "    tau: {", "    effect: {", ":9: model.variables.effect", "used twice"),
    change("no such name", "sigma: tau,", "sigma: tua,", ":10: model.variables.theta.sigma", "'tua'", "'tau'"),
    change("a cycle", "{dist: Normal, mu: 0, sigma: 5}\n    tau: {dist: HalfNormal, sigma: 1}",
           "{dist: Normal, mu: 0, sigma: tau}\n    tau: {dist: HalfNormal, sigma: \"exp(mu)\"}", "model.variables.",
           "circle", "tau -> mu"),
    change("observed by a parameter", "observed: effect", "observed: mu", ":11: model.variables.y.observed", "'mu'"),
    # Expressions
    change("expression off the whitelist", "HalfNormal, sigma: 1", "HalfNormal, sigma: \"__import__(mu)\"",
           ":9: model.variables.tau.sigma", "__import__"),
    change("attribute access", "HalfNormal, sigma: 1", "HalfNormal, sigma: mu.real", ":9: model.variables.tau.sigma",
           "mu.real"),
    change("unfinished expression", "sigma: tau,", "sigma: \"tau +\",", ":10: model.variables.theta.sigma", "'tau +'"),
    change("unknown function", "sigma: tau,", "sigma: \"epx(tau)\",", ":10: model.variables.theta.sigma", "'exp'"),
    # Data
    change("missing data file", "path: error.csv", "path: eror.csv", ":6: model.data.error.path", "'eror.csv'",
           "Did you mean 'error.csv'?"),
    change("missing column", "column: error", "column: eror", ":6: model.data.error.column", "'eror'", "'error'"),
    change("no column named", ", column: error", "", ":6: model.data.error.path", "school, error"),
    Bad("data of unknown kind", (":6: model.data.error.path", ".csv, .tsv, .json"), "error.csv", "error.xls",
        files={"error.xls": ""}),
    change("data path is a folder", "path: error.csv", "path: .", ":6: model.data.error.path", "folder"),
    change("NaN in a covariate", "path: error.csv, column: error", "values: [1, .nan, 1]", ":6: model.data.error",
           "[1] is missing (NaN)", "'y' depends on it"),
    change("null in a covariate", "path: error.csv, column: error", "values: [1, null, 1]", ":6: model.data.error",
           "[1] is missing (NaN)", "observed: error"),
    change("nothing but null", "2.0, 0.5, -1.0", "null, null, null", ":11: model.variables.y.observed", "3 of 3"),
    change("infinite data", "0.5, -1.0", ".inf, -1.0", ":5: model.data.effect", "inf"),
    change("text in data", "0.5, -1.0", "B, -1.0", ":5: model.data.effect.values", "'B' at [1] is not a number"),
    change("file changed", "column: error,", "column: error, sha256: abc,", ":6: model.data.error.sha256", "changed"),
    data("NaN in data", "school,error\nA,1\nB,NaN\nC,2\n", ":6: model.data.error", "[1] is missing"),
    data("empty cell", "school,error\nA,1\nB,2\nC,\n", ":6: model.data.error", "[2] is missing"),
    data("cell that is no number", "school,error\nA,1\nB,two\nC,3\n", "line 3", "'two' is not a number"),
    data("ragged rows", "school,error\nA,1\nB,2,3\nC,3\n", ":6: model.data.error.path", "line 3", "3 cells", "2"),
    data("no rows", "school,error\n", "no rows"),
    data("empty data file", "", "empty"),
    data("column twice", "error,error\n1,2\n", "two columns 'error'"),
    data("wrong encoding", "school,error\nSão,1\n".encode("latin-1"), "UTF-8", "line 2"),
    data("wrong number of rows", "school,error\nA,1\nB,2\n", ":6: model.data.error", "2 values", "size 3"),
    data("negative scale in data", "school,error\nA,1\nB,-2\nC,3\n", ":11: model.variables.y.sigma", "-2", "[1]"),
    Bad("broken JSON", (":6: model.data.error.path", "line 2", "JSON"), "error.csv", "error.json",
        files={"error.json": '{"error": [1,\n 2'}),
    Bad("null in JSON", (":6: model.data.error", "[1] is missing"), "error.csv", "error.json",
        files={"error.json": '{"error": [1, null, 2]}'}),
    Bad("NaN in JSON", ("[1] is missing", ":6:"), "error.csv", "error.json",
        files={"error.json": '{"error": [1, NaN, 2]}'}),
    # YAML
    change("bad syntax", "[A, B, C]", "[A, B, C", "bad.yaml:", "not YAML"),
    change("a tab", "  coords:", "\tcoords:", ":3: ", "tab", "spaces"),
    change("wrong indentation", "  data:", "   data:", ":4: ", "not YAML"),
    change("unquoted colon", "name: good", "name: good: run", ":1: ", "quotes"),
    change("a tag", "name: good", "name: !!python/object/apply:os.system [ls]", ":1: name", "tag", "not allowed"),
    change("yes", "{kind: local, workers: 1}", "{kind: local, processes: yes}", ":13: cluster.processes", "yes",
           "true"),
    change("Norway", "[A, B, C]", "[NO, SE, DK]", ":3: model.coords.school.0", "NO", "quotes"),
    change("leading zero", "seed: 1", "seed: 012", ":12: sampler.seed", "012", "octal"),
    change("base 60", "[A, B, C]", "[12:30:00, b, c]", ":3: model.coords.school.0", "base 60"),
    change("underscore", "seed: 1", "seed: 1_000", ":12: sampler.seed", "1_000"),
    change("number too large", "seed: 1", "seed: 1" + 30 * "0", ":12: sampler.seed", "too large"),
    change("no such anchor", "name: good", "name: *good", ":1: name", "anchor"),
    whole("alias bomb", "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
        f"{b}: &{b} [{', '.join(10 * ['*' + a])}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)), "aliases"),
    whole("recursive alias", "name: &a [*a]\n", ":1: ", "anchor"),
    whole("deep nesting", "name: " + 500 * "[" + 500 * "]", "nested deeper"),
    whole("empty file", "", "bad.yaml: the file is empty"),
    whole("only comments", "# nothing\n", "empty"),
    whole("a list", "- 1\n- 2\n", "not a mapping"),
    whole("two documents", GOOD + "---\n" + GOOD, ":15: ", "second document"),
    whole("binary file", bytes(range(256)), "bad.yaml:2: ", "UTF-8"),
    whole("NUL bytes", GOOD.encode() + b"\0", ":15: ", "control character"),
    whole("latin-1", GOOD.replace("name: good", "name: é").encode("latin-1"), ":1: ", "UTF-8"),
    whole("too large", b"#" + 5_000_000 * b"a", "bytes"),
    # Imported models
    change("no such module", GOOD[GOOD.index("  coords:") : GOOD.index("sampler:")], "  from: no_such_module:f\n",
           ":3: model.from", "no_such_module"),
    change("no function named", GOOD[GOOD.index("  coords:") : GOOD.index("sampler:")], "  from: json\n",
           ":3: model.from",
           "package.module:function"),
    change("misspelt function", GOOD[GOOD.index("  coords:") : GOOD.index("sampler:")], "  from: yaml:dmp\n",
           ":3: model.from", "'dump'"),
    change("wrong arguments", GOOD[GOOD.index("  coords:") : GOOD.index("sampler:")],
           "  from: yaml:dump\n  args: {no: 1}\n", ":3: model.from", "TypeError"),
    change("no model returned", GOOD[GOOD.index("  coords:") : GOOD.index("sampler:")],
           "  from: yaml:dump\n  args: {data: 1}\n", ":3: model.from", "str"),
    # The command line
    option("set without a value", "sampler.draws", "--set sampler.draws", "sets nothing"),
    option("set an unknown key", "sampler.drws=3", "--set sampler.drws=3: sampler.drws", "'draws'"),
    option("set a wrong value", "sampler.draws=abc", "--set sampler.draws=abc: sampler.draws", "'abc'"),
    option("set below a value", "name.x=1", "--set name.x=1", "'good'"),
    option("set bad YAML", "sampler.draws=[1", "--set sampler.draws=[1", "not YAML"),
    option("out with a null byte", 'run.out="a\\0b"', "run.out", "is no path"),
    option("too many draws for the disk", "sampler.draws=100000000000", "sampler.draws: ",
           "2 chains of 100000000000 draws, 146 bytes each, take 29200000000000 bytes (26.6 TiB)", "are free in"),
    change("too many values for the memory", "sigma: tau, dims: [school]}", "sigma: tau, dims: [school]}\n"
           "    z: {dist: Normal, mu: 0, sigma: 1, shape: [100000, 100000]}", "model", "one draw takes 1600000001",
           "149.0 GiB", "this machine has"),
    # Clusters
    change("no address", "{kind: local, workers: 1}", "{address: foo bar}", ":13: cluster.address", "'foo bar'",
           "host:port"),
    Bad("no address as an option", ("cluster.address", "'foo bar'", "host:port"),
        arguments=("--scheduler", "foo bar")),
    change("two kinds of cluster", "{kind: local, workers: 1}", "{kind: local, address: 'tcp://x:1'}", ":13: cluster",
           "exclude each other"),
    change("unknown kind of cluster", "kind: local", "kind: slurm", ":13: cluster.kind", "'slurm'"),
    change("no class named", "{kind: local, workers: 1}", "{factory: Slurm}", ":13: cluster.factory",
           "package.module.Class"),
    Bad("unreachable scheduler", (":13: cluster.address", "tcp://127.0.0.1:9", "did not answer"),
        "{kind: local, workers: 1}", "{address: 'tcp://127.0.0.1:9', timeout_seconds: 0.5}", status=1),
    Bad("no such factory", (":13: cluster.factory", "'no_such' is not installed"), "{kind: local, workers: 1}",
        "{factory: no_such.Cluster}", status=1),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "error.csv").write_text(CSV)
    return tmp_path


def tree_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def set_up(bad: Bad, folder: Path) -> list[str]:
    """Write the files of `bad` into `folder`; the command's arguments."""
    assert bad.old in GOOD, f"{bad.old!r} is not in the good config"
    raw = bad.raw if bad.raw is not None else GOOD.replace(bad.old, bad.new, 1).encode()
    (folder / "bad.yaml").write_bytes(raw)
    if bad.csv is not None:
        (folder / "error.csv").write_bytes(bad.csv if isinstance(bad.csv, bytes) else bad.csv.encode())
    for name, text in bad.files.items():
        (folder / name).write_text(text)
    return ["run", "bad.yaml", *bad.arguments]


def expect(status: int, out: str, err: str, bad_status: int, expected: tuple[str, ...]) -> None:
    assert status == bad_status, err
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1, f"more than one line: {err}"
    assert "Traceback" not in err
    assert "internal error" not in err
    for text in expected:
        assert text in err, err


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
def test_one_message_and_nothing_written(bad: Bad, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = set_up(bad, folder)
    before = tree_of(folder)
    status = main(arguments)
    captured = capfd.readouterr()
    expect(status, captured.out, captured.err, bad.status, bad.expected)
    assert tree_of(folder) == before
    assert not (folder / "out").exists()


def test_the_good_config_is_good(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "good.yaml").write_text(GOOD)
    assert main(["check", "good.yaml"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "5 free parameters in 3 variables; observed: y" in captured.out


def occupied_by_a_run(folder: Path) -> None:
    (folder / "out" / "state").mkdir(parents=True)
    (folder / "out" / "run.zarr").mkdir()


def occupied_by_files(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "thesis.tex").write_text("precious")


def occupied_by_a_file(folder: Path) -> None:
    (folder / "out").write_text("precious")


def test_pipes_and_devices_are_no_data(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The one would be waited for, the other read, without end."""
    os.mkfifo(folder / "pipe.csv")
    for path in ("pipe.csv", "/dev/zero"):
        (folder / "bad.yaml").write_text(GOOD.replace("error.csv", path))
        status = main(["check", "bad.yaml"])
        captured = capfd.readouterr()
        expect(status, captured.out, captured.err, 2, (":6: model.data.error.path", path, "no regular file"))


def below_a_file(folder: Path) -> None:
    (folder / "out").write_text("precious")
    (folder / "good.yaml").write_text(GOOD.replace("{out: out}", "{out: out/run}"))


OUTS: list[tuple[Callable[[Path], None], tuple[str, ...]]] = [
    (occupied_by_a_run, ("good.yaml:14: run.out", "out holds another run", "--out", "exmc resume out")),
    (occupied_by_files, ("good.yaml:14: run.out", "out is not empty")),
    (occupied_by_a_file, ("good.yaml:14: run.out", "out is a file")),
    (below_a_file, ("good.yaml:14: run.out", "out/run cannot be written")),
]


@pytest.mark.parametrize(("occupy", "expected"), OUTS, ids=lambda v: getattr(v, "__name__", ""))
def test_out_that_is_taken(
    occupy: Callable[[Path], None], expected: tuple[str, ...], folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "good.yaml").write_text(GOOD)
    occupy(folder)
    before = tree_of(folder)
    status = main(["run", "good.yaml"])
    captured = capfd.readouterr()
    expect(status, captured.out, captured.err, 2, expected)
    assert tree_of(folder) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_out_that_cannot_be_written(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "good.yaml").write_text(GOOD)
    (folder / "closed").mkdir(mode=0o500)
    status = main(["run", "good.yaml", "--out", "closed/run"])
    captured = capfd.readouterr()
    expect(status, captured.out, captured.err, 2, ("--out closed/run: run.out", "cannot be written"))


COMMANDS: list[tuple[list[str], tuple[str, ...]]] = [
    (["run", "god.yaml"], ("god.yaml: there is no such file", "Did you mean 'good.yaml'?")),
    (["check", "."], ("folder",)),
    (["run"], ("exmc: ", "CONFIG")),
    (["rn", "good.yaml"], ("exmc: ", "'rn'", "'run'")),
    (["run", "good.yaml", "--drwas", "3"], ("--drwas",)),
    (["resume", "nowhere"], ("nowhere", "no run")),
    (["summary", "nowhere"], ("nowhere", "no run")),
    (["compare", "nowhere", "."], ("nowhere", "no run")),
    *[
        ([command, "tcp://host:8786", *more], ("tcp://host:8786: this is a scheduler", "watch tcp://host:8786 --once"))
        for command, *more in (["report"], ["plot", "trace"])
    ],
]


@pytest.mark.parametrize(("arguments", "expected"), COMMANDS, ids=lambda v: "_".join(v))
def test_wrong_command(
    arguments: list[str], expected: tuple[str, ...], folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "good.yaml").write_text(GOOD)
    before = tree_of(folder)
    status = main(arguments)
    captured = capfd.readouterr()
    expect(status, captured.out, captured.err, 2, expected)
    assert tree_of(folder) == before


REAL = [bad for bad in TABLE if bad.name in ("unknown key", "a tab", "unreachable scheduler", "recursive alias")]


@pytest.mark.parametrize("bad", REAL, ids=lambda bad: bad.name)
def test_in_a_process_of_its_own(bad: Bad, folder: Path) -> None:
    arguments = set_up(bad, folder)
    before = tree_of(folder)
    command = [sys.executable, "-c", "import sys; from pipelines.cli import main; sys.exit(main())"]
    began = time.perf_counter()
    found = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert time.perf_counter() - began < 30
    expect(found.returncode, found.stdout, found.stderr, bad.status, bad.expected)
    assert tree_of(folder) == before

"""What a config may import: installed packages and the folder of ``--code``, never what happens to lie on the path."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from exmc.errors import ClusterError, ExmcError
from exmc.imports import import_function
from exmc.trace.journal import Journal
from exmc.trace.store import RunStore
from pipelines.checking import build, check_config
from pipelines.checkpoint import read_checkpoint
from pipelines.cli import main
from pipelines.code import Code, CodeError, permitted, run_permitted
from pipelines.config import load_config, with_out
from pipelines.control import StoppedError
from pipelines.events import Event
from pipelines.exchange import load_model
from pipelines.places import LocatedError
from pipelines.run import extend, restarted, resume, run_config, start
from tests.pipelines.running import assert_same_store

DENSITY = """\
from helper_of_mine import HALF

def log_density(value):
    return -HALF * value**2

def draw(generator, shape):
    from late_helper import normal
    return normal(generator, shape)

def model(scale=1.0):
    from exmc import Builder, Normal
    return Builder().rv("x", Normal, mu=0.0, sigma=scale)
"""
HELPER = "HALF = 0.5\n"
LATE = "def normal(generator, shape):\n    return generator.standard_normal(shape)\n"
CONFIG = """\
model:
  variables:
    x: {dist: Custom, function: "my_own:log_density", draw: "my_own:draw"}
    y: {dist: Normal, mu: x, sigma: 1, observed: [0.3]}
sampler: {draws: 300, warmup: 100, chains: 2, seed: 1}
run: {segment_seconds: 1e-9, predictive: {prior_draws: 20, posterior: false}}
"""
IMPORTED = 'model: {from: "my_own:model", args: {scale: 2.0}}\nsampler: {draws: 100, warmup: 50, chains: 2, seed: 1}\n'


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    for name, text in (("my_own", DENSITY), ("helper_of_mine", HELPER), ("late_helper", LATE)):
        (folder / f"{name}.py").write_text(text)
    return folder


def config(tmp_path: Path, text: str = CONFIG) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    return path


def ignore(event: Event) -> None:
    del event


@pytest.mark.parametrize("text", [CONFIG, IMPORTED])
@pytest.mark.parametrize("where", ["beside the config", "the working directory", "PYTHONPATH", "imported before"])
def test_what_lies_about_is_not_imported(
    text: str, where: str, code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, marker = config(tmp_path, text), tmp_path / "it-ran"
    (code / "my_own.py").write_text(f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n{DENSITY}")
    if where == "beside the config":
        code.rename(tmp_path / "away")
        (tmp_path / "away" / "my_own.py").rename(tmp_path / "my_own.py")
    elif where == "the working directory":
        monkeypatch.chdir(code)
        monkeypatch.syspath_prepend("")
    else:
        monkeypatch.syspath_prepend(str(code))
        if where == "imported before":
            importlib.import_module("my_own")
            marker.unlink()
            monkeypatch.delitem(sys.modules, "helper_of_mine")
    try:
        with pytest.raises(LocatedError, match=r"'my_own' is not installed\. Install it, or allow .*--code") as raised:
            check_config(load_config(path))
        assert f"own.yaml:{1 if text is IMPORTED else 3}" in str(raised.value)
        assert not marker.exists()
    finally:
        sys.modules.pop("my_own", None)


def test_the_remedy_names_the_folder_beside_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "my_own.py").write_text(DENSITY)
    with pytest.raises(LocatedError, match=r"--code models \(in Python, code='models'\)"):
        check_config(load_config(config(tmp_path / "models")))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("os:system", "'os' is a module of Python itself"),
        ("distributed.nanny:os.system", "os.system' is of Python itself"),
        ("subprocess:Popen", "is a module of Python itself"),
        ("__main__:f", "not installed"),
        ("nowhere_at_all:f", "not installed"),
    ],
)
def test_python_itself_is_no_code_for_a_config(target: str, message: str, tmp_path: Path) -> None:
    path = config(tmp_path, f'model: {{from: "{target}", args: {{command: "touch {tmp_path}/it-ran"}}}}\n')
    with pytest.raises(LocatedError, match=message):
        check_config(load_config(path))
    assert not (tmp_path / "it-ran").exists()


def test_what_is_installed_is_imported() -> None:
    with permitted(None):
        assert import_function("numpy.linalg:norm", ()) is np.linalg.norm
        # Wherever it lies.
        assert import_function("exmc:Builder", ()).__module__.startswith("exmc.")


def test_a_package_in_development_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As setuptools does it: a finder on Python's meta path, in a module that is called so."""
    (tmp_path / "in_development.py").write_text("def f():\n    return 7\n")

    class Finder:
        __module__ = "__editable___in_development_1_0_finder"

        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> object:
            if name != "in_development":
                return None
            return importlib.util.spec_from_file_location(name, tmp_path / "in_development.py")

    with permitted(None), pytest.raises(ExmcError, match="not installed"):
        import_function("in_development:f", ())
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    with permitted(None):
        assert import_function("in_development:f", ())() == 7
    del sys.modules["in_development"]


def test_what_hides_an_installed_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "arviz_plots.py").write_text("def f(): ...\n")
    name = "arviz_plots"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path / "shadow"))
    with permitted(None), pytest.raises(ExmcError, match="not from where it is installed"):
        import_function(f"{name}:f", ())
    with permitted(Code(str(tmp_path / "shadow"))), pytest.raises(ExmcError, match="and installed, too"):
        import_function(f"{name}:f", ())


def test_a_run_keeps_the_code_that_its_draws_depend_on(code: Path, tmp_path: Path) -> None:
    checked = check_config(with_out(load_config(config(tmp_path), code=code), tmp_path / "run"))
    assert checked.code is not None
    assert set(checked.code.files) == {"my_own.py", "helper_of_mine.py"}
    start(checked, ignore)
    assert read_checkpoint(tmp_path / "run").plan.code == checked.code
    assert "prior" in RunStore.open(tmp_path / "run").read(), "late imports are of the folder, too"
    assert not list(code.glob("**/__pycache__"))


def test_code_that_is_gone_or_changed_is_refused_and_found_again(code: Path, tmp_path: Path) -> None:
    path = config(tmp_path)
    whole = check_config(with_out(load_config(path, ["sampler.draws=400"], code=code), tmp_path / "whole"))
    start(whole, ignore)
    run_config(path, out=tmp_path / "run", code=code)
    (code / "helper_of_mine.py").write_text("HALF = 0.6\n")
    for act in (lambda: extend(tmp_path / "run", 400), lambda: resume(tmp_path / "run", ignore)):
        with pytest.raises(CodeError, match=r"helper_of_mine\.py, code .* is not what it was\. .*--code DIR"):
            act()
    assert main(["predict", str(tmp_path / "run"), "--data", str(tmp_path / "none.csv")]) == 1
    (code / "helper_of_mine.py").unlink()
    with pytest.raises(CodeError, match="is not there"):
        extend(tmp_path / "run", 400)
    (code / "helper_of_mine.py").write_text(HELPER)
    (code / "unrelated.py").write_text("1 / 0\n")
    code.rename(tmp_path / "moved")
    with pytest.raises(CodeError, match="is not there"):
        extend(tmp_path / "run", 400)
    extend(tmp_path / "run", 400, code=tmp_path / "moved")
    assert_same_store(tmp_path / "whole", tmp_path / "run")
    kept = read_checkpoint(tmp_path / "run").plan.code
    assert kept is not None
    assert kept.folder == str(tmp_path / "moved")
    resume(tmp_path / "run", ignore)


def test_other_code_is_another_run(code: Path, tmp_path: Path) -> None:
    """In one process, too, which has the former version loaded; the program's own import of the name stays."""
    path = config(tmp_path)
    first = check_config(with_out(load_config(path, code=code), tmp_path / "first"))
    start(first, ignore)
    (code / "helper_of_mine.py").write_text("HALF = 50.0\n")
    again = start(check_config(restarted(tmp_path / "first")), ignore)
    trees = [RunStore.open(directory).read() for directory in (tmp_path / "first", again.directory)]
    one, other = (float(tree["posterior"]["x"].std()) for tree in trees)
    assert other / one < 0.5
    assert trees[0].attrs["fingerprint"] != trees[1].attrs["fingerprint"]
    # What is loaded by now is the second; the first run's code is still its own, from memory.
    assert first.code is not None
    with permitted(first.code):
        assert import_function("my_own:log_density", ())(1.0) == -0.5
    with permitted(Code(str(code))):
        assert import_function("my_own:log_density", ())(1.0) == -50.0


def test_modules_of_the_program_around_keep_their_names(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "my_own.py").write_text("mine = True\n")
    monkeypatch.syspath_prepend(str(own))
    monkeypatch.delitem(sys.modules, "my_own", raising=False)
    mine = importlib.import_module("my_own")
    try:
        assert build(load_config(config(tmp_path, IMPORTED), code=code))["x"]
        assert sys.modules["my_own"] is mine
    finally:
        del sys.modules["my_own"]


def test_only_a_model_that_needs_no_code_goes_on_without(code: Path, tmp_path: Path) -> None:
    run_config(config(tmp_path, IMPORTED), out=tmp_path / "run", code=code)
    kept = read_checkpoint(tmp_path / "run").plan.code
    assert kept == Code(str(code), {})
    (tmp_path / "run" / "ir.json").unlink()
    resume(tmp_path / "run", ignore)
    (code / "my_own.py").unlink()
    extend(tmp_path / "run", 120)
    (tmp_path / "run" / "ir.json").unlink()
    with pytest.raises(ExmcError, match=r"cannot be made again from config\.yaml: .*not installed"):
        resume(tmp_path / "run", ignore)


def test_workers_find_the_code(code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes, whose path has none of it; and what they say if the folder is not there for them."""
    monkeypatch.chdir(tmp_path)
    path, more = config(tmp_path), ["cluster={workers: 1, processes: true}"]
    run_config(path, out=tmp_path / "run", overrides=more, code="code")
    run_config(path, out=tmp_path / "threads", code=code)
    for group in ("posterior", "prior"):
        one, other = (RunStore.open(tmp_path / n).read()[group].to_dataset() for n in ("run", "threads"))
        assert one.equals(other)


def test_a_worker_without_the_code_says_so(tmp_path: Path) -> None:
    missing = Code(str(tmp_path / "elsewhere"), {"my_own.py": "0" * 64})
    with pytest.raises(CodeError, match=r"a worker on .*my_own\.py, code .* is not there\. The folder of --code"):
        run_permitted(missing, len, ())


def test_an_interrupted_run_finds_its_code(code: Path, tmp_path: Path) -> None:
    seen: list[Event] = []

    def stop(event: Event) -> None:
        seen.extend([event] if event.kind == "segment" else [])
        if len(seen) == 2:
            raise StoppedError("enough")

    path = config(tmp_path)
    run_config(path, out=tmp_path / "whole", code=code)
    with pytest.raises(StoppedError):
        start(check_config(with_out(load_config(path, code=code), tmp_path / "run")), stop)
    assert Journal.open(tmp_path / "run").committed(0)
    resume(tmp_path / "run", ignore)
    assert_same_store(tmp_path / "whole", tmp_path / "run")


def test_a_factory_is_code_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clusters_of_mine.py").write_text("from distributed import LocalCluster as Mine\n")
    path = config(tmp_path, "model: {variables: {x: {dist: Normal, mu: 0, sigma: 1}}}\n")
    settings = {"n_workers": 1, "processes": False, "dashboard_address": ":0"}
    more = [
        f"cluster={{factory: clusters_of_mine.Mine, kwargs: {json.dumps(settings)}}}", "sampler.draws=50",
        "sampler.warmup=50", "sampler.chains=2",
    ]  # fmt: skip
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ClusterError, match="'clusters_of_mine' is not installed"):
        run_config(path, out=tmp_path / "run", overrides=more)
    assert not (tmp_path / "run").exists()
    run_config(path, out=tmp_path / "run", overrides=more, code=tmp_path)


def test_code_must_be_a_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = config(tmp_path)
    for wrong in (str(path), str(tmp_path / "none"), "memory://x"):
        assert main(["check", str(path), "--code", wrong]) == 2
        assert "is no folder" in capfd.readouterr().err


def test_commands_take_code(code: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = config(tmp_path)
    assert main(["check", str(path)]) == 2
    assert "--code" in capfd.readouterr().err
    for command in ("check", "explain"):
        assert main([command, str(path), "--code", str(code)]) == 0
    out = tmp_path / "run"
    assert main(["run", str(path), "--code", str(code), "--out", str(out), "--quiet"]) in (0, 3)
    (tmp_path / "new.yaml").write_text("data: {}\n")
    code.rename(tmp_path / "moved")
    arguments = ["predict", str(out), "--data", str(tmp_path / "new.yaml"), "--vars", "x", "--quiet"]
    assert main(arguments) == 1
    assert main([*arguments, "--code", str(tmp_path / "moved")]) == 0
    assert main(["extend", str(out), "--draws", "320", "--code", str(tmp_path / "moved"), "--quiet"]) in (0, 3)
    assert main(["resume", str(out), "--force-restart", "--quiet"]) in (0, 3)
    sbc = ["sbc", str(path), "--replications", "10", "--set", "sampler.draws=100", "--out", str(tmp_path / "sbc")]
    assert main([*sbc, "--code", str(tmp_path / "moved")]) in (0, 3)


def test_a_model_taken_from_a_config_can_be_used(code: Path, tmp_path: Path) -> None:
    with pytest.raises(LocatedError, match="not installed"):
        load_model(config(tmp_path))
    assert load_model(config(tmp_path), code=code)["x"]

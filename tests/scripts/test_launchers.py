"""Tests of the two commands' set-up: checkouts with stand-ins for the installers, so that nothing is downloaded."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = (
    *("bash", "env", "sh", "dirname", "readlink", "cksum", "tr", "cat"),
    *("mkdir", "rm", "sleep", "getconf", "chmod", "flock"),
)
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)

# Both stand-ins "install" exmc by writing a console script that shows its directory, arguments and standard input.
FAKE_INSTALL = """
sleep "${FAKE_SLEEP:-0}"
[ "${FAKE_STATUS:-0}" = 0 ] || exit "$FAKE_STATUS"
printf '#!/bin/sh\\nprintf "%%s\\\\n" "$PWD" "$@"; cat\\n' >"$bin/exmc"
for tool in ruff mypy; do
  printf '#!/bin/sh\\necho %s "$@" >>"$FAKE_LOG"\\nexit "${FAKE_%s:-0}"\\n' $tool $tool >"$bin/$tool"
done
chmod +x "$bin/exmc" "$bin/ruff" "$bin/mypy"
"""
FAKE_UV = f"""#!/usr/bin/env bash
echo "uv $*" >>"$FAKE_LOG"
if [ "$1" = venv ]; then exec "{BASE_PYTHON}" -m venv --without-pip "${{@: -1}}"; fi
while [ "$1" != --python ]; do shift; done
bin=$(dirname "$2")
{FAKE_INSTALL}
"""
FAKE_PIP = f"""
import os, subprocess, sys
with open(os.environ["FAKE_LOG"], "a") as log:
    print("pip", *sys.argv[1:], file=log)
script = {FAKE_INSTALL!r}
sys.exit(subprocess.run(["bash", "-c", "bin=$0;" + script, os.path.dirname(sys.executable)]).returncode)
"""
FAKE_PYTEST = """
import os, sys
with open(os.environ["FAKE_LOG"], "a") as log:
    print("pytest", *sys.argv[1:], "OMP", os.environ["OMP_NUM_THREADS"], file=log)
sys.exit(int(os.environ.get("FAKE_pytest", 0)))
"""


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@dataclass
class Checkout:
    """A checkout with the real scripts, in a path with a space, on a machine with nothing but stand-ins."""

    root: Path
    tools: Path
    log: Path

    def environment(self, **extra: str) -> dict[str, str]:
        return {
            "PATH": str(self.tools),
            "FAKE_LOG": str(self.log),
            "PYTHONPATH": str(self.tools),
            "HOME": str(self.tools),
            **extra,
        }

    def start(self, *arguments: str, script: str = "exmc", **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.root / "scripts" / script), *arguments],
            env=self.environment(**extra),
            cwd=self.root.parent,
            input="typed\n",
            capture_output=True,
            text=True,
            timeout=60,
        )

    def popen(self, **extra: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.root / "scripts/exmc")],
            env=self.environment(**extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def logged(self, beginning: str = "") -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.startswith(beginning)]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root, tools = tmp_path / "a checkout", tmp_path / "tools"
    tools.mkdir()
    (root / "scripts").mkdir(parents=True)
    for name in ("exmc", "test", "environment"):
        shutil.copy(ROOT / "scripts" / name, root / "scripts" / name)
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, root / name)
    for tool in TOOLS:
        if found := shutil.which(tool):
            (tools / tool).symlink_to(found)
    executable(tools / "python3", f'#!/bin/sh\nexec "{BASE_PYTHON}" "$@"\n')
    executable(tools / "uv", FAKE_UV)
    (tools / "pytest.py").write_text(FAKE_PYTEST)
    return Checkout(root, tools, tmp_path / "log")


def test_first_start_sets_up_and_hands_everything_to_the_command(checkout: Checkout) -> None:
    result = checkout.start("run", "a b.yaml", "")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{checkout.root.parent}\nrun\na b.yaml\n\ntyped\n"
    assert "setting up .venv" in result.stderr
    assert "ready" in result.stderr
    (install,) = checkout.logged("uv pip install")
    assert f"--constraint {checkout.root}/constraints.txt" in install
    assert install.endswith(f"--editable {checkout.root}")


def test_second_start_says_and_installs_nothing(checkout: Checkout) -> None:
    checkout.start()
    before = checkout.logged()
    result = checkout.start("x")
    assert (result.returncode, result.stderr) == (0, "")
    assert checkout.logged() == before


def test_second_start_is_quick(checkout: Checkout) -> None:
    checkout.start()
    durations = []
    for _ in range(5):
        began = time.perf_counter()
        checkout.start()
        durations.append(time.perf_counter() - began)
    assert min(durations) < 0.2


@pytest.mark.parametrize("kind", ["relative", "symlink", "relative symlink", "through a linked folder"])
def test_any_way_to_name_the_script(checkout: Checkout, kind: str) -> None:
    checkout.start()
    base = checkout.root.parent
    if kind == "relative":
        command = "a checkout/scripts/exmc"
    elif kind == "symlink":
        (base / "link").symlink_to(checkout.root / "scripts/exmc")
        command = str(base / "link")
    elif kind == "relative symlink":
        (base / "link").symlink_to("a checkout/scripts/exmc")
        command = "./link"
    else:
        (base / "folder").symlink_to(checkout.root)
        command = "folder/scripts/exmc"
    result = subprocess.run(
        [command, "y"], env=checkout.environment(), cwd=base, input="", capture_output=True, text=True
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{base}\ny\n", "")


@pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml"])
def test_changed_pins_update_in_place(checkout: Checkout, name: str) -> None:
    checkout.start()
    with (checkout.root / name).open("a") as file:
        file.write("# changed\n")
    result = checkout.start()
    assert "updating .venv" in result.stderr
    assert len(checkout.logged("uv venv")) == 1
    assert len(checkout.logged("uv pip install")) == 2


def test_failed_installation_is_reported_and_redone(checkout: Checkout) -> None:
    (checkout.tools / "pip.py").write_text(FAKE_PIP)
    result = checkout.start(FAKE_STATUS="7")
    assert result.returncode == 1
    assert result.stdout == ""
    assert "the installation failed" in result.stderr
    assert len(checkout.logged("pip install")) == 1  # uv's failure is not the last word
    assert checkout.start().returncode == 0
    assert len(checkout.logged("uv venv")) == 2


def test_killed_installation_is_redone(checkout: Checkout) -> None:
    process = checkout.popen(FAKE_SLEEP="60")
    deadline = time.monotonic() + 20
    while not checkout.logged("uv pip install"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert (checkout.root / ".venv/.exmc-unfinished").exists()
    result = checkout.start()
    assert result.returncode == 0, result.stderr
    assert len(checkout.logged("uv venv")) == 2
    assert not (checkout.root / ".venv/.exmc-unfinished").exists()


@pytest.mark.parametrize("flock", [True, False])
def test_two_first_starts_install_once(checkout: Checkout, flock: bool) -> None:
    if not flock:
        (checkout.tools / "flock").unlink(missing_ok=True)
    processes = [checkout.popen(FAKE_SLEEP="0.5") for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert len(checkout.logged("uv pip install")) == 1
    assert sum("waiting for another start" in errors for _, errors in outputs) == 1
    assert not (checkout.root / ".venv.lock").exists()


def test_lock_of_a_dead_process_is_broken(checkout: Checkout) -> None:
    (checkout.tools / "flock").unlink(missing_ok=True)
    dead = subprocess.Popen(["true"])
    dead.wait()
    (checkout.root / ".venv.lock").mkdir()
    (checkout.root / ".venv.lock/holder").write_text(f"{dead.pid}\n")
    assert checkout.start().returncode == 0
    assert not (checkout.root / ".venv.lock").exists()


def test_moved_checkout_is_rebuilt(checkout: Checkout) -> None:
    checkout.start()
    checkout.root = checkout.root.rename(checkout.root.parent / "moved")
    result = checkout.start()
    assert result.returncode == 0, result.stderr
    assert "setting up" in result.stderr
    assert str(checkout.root / ".venv") in checkout.logged("uv venv")[-1]


def test_vanished_python_is_rebuilt(checkout: Checkout) -> None:
    checkout.start()
    python = checkout.root / ".venv/bin/python"
    python.unlink()
    python.symlink_to(checkout.root / "no-longer-here")
    result = checkout.start()
    assert result.returncode == 0, result.stderr
    assert len(checkout.logged("uv venv")) == 2


def test_environment_made_by_hand_is_kept(checkout: Checkout) -> None:
    subprocess.run([BASE_PYTHON, "-m", "venv", "--without-pip", str(checkout.root / ".venv")], check=True, timeout=60)
    (checkout.root / ".venv/mine").touch()
    result = checkout.start()
    assert result.returncode == 0, result.stderr
    assert "updating .venv" in result.stderr
    assert (checkout.root / ".venv/mine").exists()


def test_pip_where_there_is_no_uv(checkout: Checkout) -> None:
    (checkout.tools / "uv").unlink()
    (checkout.tools / "pip.py").write_text(FAKE_PIP)
    result = checkout.start("x")
    assert result.returncode == 0, result.stderr
    (install,) = checkout.logged("pip install")
    assert f"--constraint {checkout.root}/constraints.txt --editable {checkout.root}" in install


def test_no_usable_python(checkout: Checkout) -> None:
    executable(checkout.tools / "python3", "#!/bin/sh\necho 3.9.18\n")
    executable(checkout.tools / "python3.12", "#!/bin/sh\nexit 127\n")
    result = checkout.start()
    assert result.returncode == 1
    assert result.stdout == ""
    assert "needs Python 3.11 or newer" in result.stderr
    assert "Found: python3 is Python 3.9.18; python3.12 does not run." in result.stderr
    assert not (checkout.root / ".venv").exists()


def test_later_candidate_is_found(checkout: Checkout) -> None:
    (checkout.tools / "python3").rename(checkout.tools / "python3.11")
    executable(checkout.tools / "python3", "#!/bin/sh\necho 3.10.2\n")
    assert checkout.start().returncode == 0
    assert "--python python3.11 " in checkout.logged("uv venv")[0]


def test_named_python_is_used_or_refused(checkout: Checkout) -> None:
    old = executable(checkout.tools / "old", "#!/bin/sh\necho 3.10.2\n")
    result = checkout.start(EXMC_PYTHON=str(old))
    assert result.returncode == 1
    assert f"EXMC_PYTHON={old} is Python 3.10.2; exmc needs Python 3.11" in result.stderr
    assert checkout.start(EXMC_PYTHON=BASE_PYTHON).returncode == 0
    assert f"--python {BASE_PYTHON} " in checkout.logged("uv venv")[0]
    assert checkout.start(EXMC_PYTHON=BASE_PYTHON).stderr == ""


def test_test_command_runs_every_step_and_reports_each(checkout: Checkout) -> None:
    result = checkout.start("--all", "-k", "a b", script="test", FAKE_ruff="1")
    assert result.returncode == 1
    assert checkout.logged("uv pip install")[0].endswith(f"{checkout.root}[test]")
    assert checkout.logged("ruff") == ["ruff check .", "ruff format --check ."]
    assert checkout.logged("mypy") == ["mypy"]
    (line,) = checkout.logged("pytest")
    assert line.startswith("pytest -m  -n")
    assert line.endswith("-k a b OMP 1")
    report = result.stderr.splitlines()[-4:]
    assert [row.split()[0] for row in report] == ["FAILED", "FAILED", "passed", "passed"]


@pytest.mark.parametrize("step", ["mypy", "pytest"])
def test_test_command_fails_with_any_step(checkout: Checkout, step: str) -> None:
    assert checkout.start(script="test").returncode == 0
    assert checkout.logged("pytest")[0].startswith("pytest -m not slow -n")
    assert checkout.start(script="test", **{f"FAKE_{step}": "1"}).returncode == 1


def test_test_command_takes_paths_from_the_caller(checkout: Checkout) -> None:
    (checkout.root.parent / "here").mkdir()
    checkout.start("here::case", "elsewhere", script="test")
    assert f" {checkout.root.parent}/here::case elsewhere OMP" in checkout.logged("pytest")[0]


def test_tools_of_the_tests_survive_a_change_of_pins(checkout: Checkout) -> None:
    checkout.start()
    checkout.start(script="test")
    assert checkout.start().stderr == ""
    (checkout.root / "constraints.txt").write_text("")
    checkout.start()
    installs = [line.rpartition("--editable ")[2] for line in checkout.logged("uv pip install")]
    assert installs == [str(checkout.root), f"{checkout.root}[test]", f"{checkout.root}[test]"]
    assert len(checkout.logged("uv venv")) == 1

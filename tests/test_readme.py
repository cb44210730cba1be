"""README is true: its Python runs, its YAML passes `exmc check`, and its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import exmc
from exmc.ir.operations import FUNCTIONS
from pipelines.cli import main

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of `language` in README, in order."""
    found = re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    assert found, f"README has no {language} block"
    return found


def test_python_runs_as_one_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks build on each other; those that open a run directory find one made by the command above them."""
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(ROOT / "configs" / "eight_schools.yaml"), "--quiet"]) == 0
    session: dict[str, object] = {"__name__": "readme"}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), session)


def is_config(block: str) -> bool:
    """Whether it is a whole config; the other blocks of YAML are new data for eight schools."""
    return "\nmodel:" in f"\n{block}"


def test_new_data_are_predicted_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(ROOT / "configs" / "eight_schools.yaml"), "--quiet"]) == 0
    documents = [block for block in blocks("yaml") if not is_config(block)]
    assert documents
    for number, block in enumerate(documents):
        (tmp_path / "new.yaml").write_text(block, encoding="utf-8")
        assert main(["predict", "runs/eight-schools", "--data", "new.yaml", "--name", f"new-{number}"]) == 0


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if is_config(block)])
def test_yaml_is_a_valid_config(block: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "readme.yaml"
    config.write_text(block, encoding="utf-8")
    assert main(["check", str(config)]) == 0, capsys.readouterr().err


def test_every_command_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    known = set()
    for line in "\n".join(blocks("console")).splitlines():
        match = re.match(r"\$ (?:scripts/)?exmc (\w+)", line)
        if match:
            known.add(match[1])
    assert known, "README shows no command"
    for command in sorted(known):
        assert main([command, "--help"]) == 0, command
    capsys.readouterr()


def test_every_distribution_is_listed_with_its_parameters() -> None:
    listed = dict(
        re.findall(r"\b(\w+)\(([\w, ]*)\)", " ".join(TEXT[TEXT.index("Distributions of numbers:") :].split()))
    )
    for name, distribution in exmc.DISTRIBUTIONS.items():
        if not distribution.open:
            assert listed[name] == ", ".join(p.name for p in distribution.parameters), name


def test_every_function_is_listed() -> None:
    operators = {"index", "add", "subtract", "multiply", "divide", "floor_divide", "mod", "power", "negative"}
    operators |= {n for n in FUNCTIONS if n.startswith(("less", "greater", "equal", "not_equal", "logical"))}
    section = TEXT[TEXT.index("## Functions, lengths") : TEXT.index("## The same in Python")]
    listed = set(re.findall(r"\w+", re.sub(r"^```.*?^```", "", section, flags=re.M | re.S)))
    assert FUNCTIONS.keys() - operators <= listed


def test_every_path_exists() -> None:
    for path in set(re.findall(r"\b(?:configs|scripts)/[\w./-]+\w", TEXT)):
        assert (ROOT / path).exists(), path

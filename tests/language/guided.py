"""The fuzzing of `tests.language.fuzzing`, guided by what code each input reaches: by atheris, if that is installed."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

_INSTRUMENTED = ["exmc.errors", "exmc.ir", "pipelines", "yaml"]
_LONGEST = 400


def quoted(token: str) -> str:
    """`token` as a line of a dictionary of libFuzzer."""
    raw = token.encode("utf-8", "surrogatepass")
    return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else f"\\x{b:02x}" for b in raw) + '"\n'


def fuzz(target: str, inputs: int, seed: int, atheris: Any) -> None:
    """Feed the parser called `target` that many inputs, then end the process; an input that breaks it is printed."""
    with atheris.instrument_imports(include=_INSTRUMENTED):
        from tests.language.fuzzing import CHECKS
    check, tokens, legal = CHECKS[target]
    read = [0, 0]

    def one(raw: bytes) -> None:
        text = raw.decode("utf-8", "replace")
        try:
            read[check(text)] += 1
        except BaseException:
            print(f"{target}: {text!r}", flush=True)
            raise

    folder = Path(tempfile.mkdtemp(prefix="exmc-fuzz-"))
    (folder / "corpus").mkdir()
    for number, text in enumerate(legal):
        (folder / "corpus" / str(number)).write_text(text, encoding="utf-8")
    (folder / "tokens").write_text("".join(quoted(token) for token in tokens if len(token) < 60))
    options = {"dict": folder / "tokens", "runs": inputs, "seed": seed, "max_len": _LONGEST, "print_final_stats": 1}
    arguments = [*(f"-{key}={value}" for key, value in options.items()), f"-artifact_prefix={folder}/"]
    run: Callable[[], None] = atheris.Fuzz
    atheris.Setup([sys.argv[0], *arguments, str(folder / "corpus")], one)
    run()


def main() -> int:
    """Fuzz one parser, guided by coverage."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz --guided", description=main.__doc__)
    parser.add_argument("target", choices=("expressions", "YAML", "configs"))
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("scripts/fuzz: --guided needs atheris: .venv/bin/python -m pip install atheris", file=sys.stderr)
        return 2
    fuzz(options.target, options.inputs, options.seed, importlib.import_module("atheris"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

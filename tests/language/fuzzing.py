"""Hostile text for whatever reads formulas, YAML and configs, and what must hold of what they make of it."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import random
import sys
import time
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from exmc.distributions import DISTRIBUTIONS
from exmc.errors import ExmcError
from exmc.ir.expressions import Apply, Constant, Reference, Slice, Span, walk
from exmc.ir.operations import FUNCTIONS, OPERATIONS
from exmc.ir.parse import parse_expression
from pipelines.building import build_model
from pipelines.code import permitted
from pipelines.config import parse_config
from pipelines.places import Places
from pipelines.yaml_lines import read_yaml

EXPRESSION_TOKENS = (
    *("x", "y", "mu", "__class__", "__import__", "os", "eval", "exec", "open", "getattr", "lambda", "None", "True"),
    *(
        "0",
        "1",
        "2.5",
        "1e308",
        "1e999",
        "9" * 25,
        "0x1f",
        "1_0",
        "1j",
        "'a'",
        '"dim"',
        "f'{x}'",
        "b'x'",
        "'" * 3,
        "...",
    ),
    *("+", "-", "*", "/", "**", "@", "//", "%", "<", "<=", "==", "!=", "&", "|", "^", "~", ":=", "=", "->", "<<", "!"),
    *("(", ")", "[", "]", "{", "}", ",", ":", ".", ";", "\n", "\\", "#", " ", "\t", "\0", "\ud800", "\N{SNOWMAN}"),
    *(".T", ".real", ".__class__", ".__globals__", "[0]", "[:, None]", "[::2]", "(x)", "()", "(*x)", "(**x)", "é", "ª"),
    *(" if ", " else ", " for ", " in ", " is ", " not ", " and ", " or ", "yield ", "await ", "import ", "axis=0"),
    *("dim='school'", "dim=x", "axis=(0, 1)", "m=[1, 2]", "axis=-1", "axis=9**9**9", "(" * 150, "-" * 150, "x." * 150),
    *(f"{name}(" for name in sorted(FUNCTIONS)),
)
YAML_TOKENS = (
    *("a", "b", "model", "x: ", "- ", ": ", "? ", "&a ", "*a", "*b", "<<", "<<: *a", "!", "!!", "!!str ", "!!int "),
    *("!!python/object/apply:os.system ", "!!python/name:os.system", "!!python/module:os ", "!!binary ", "!!set "),
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        "|",
        ">",
        "|+2\n",
        "'",
        '"',
        '"\\x00"',
        '"\\ud800"',
        "%YAML 9.9\n",
        "%TAG ! x\n",
        "---\n",
    ),
    *(
        "...\n",
        "\n",
        "\n  ",
        "\n    ",
        " ",
        "\t",
        "#",
        "\r\n",
        "\x85",
        "\u2028",
        "\ufeff",
        "\x07",
        "\udcff",
        "é",
        "\N{SNOWMAN}",
    ),
    *("null", "~", "true", "no", "1", "012", "1e-3", "1_0", "12:30:00", "0x1f", ".inf", ".nan", "9" * 400, "1e999"),
    *(
        "2026-01-01",
        "=",
        "@",
        "`",
        "[" * 50,
        "{a: " * 50,
        "- " * 50,
        "[*a, *a, *a]",
        "&a [*a]",
        "&b [*a, *a]",
        "a: &a ",
    ),
)
CONFIG_TOKENS = (
    *("model", "variables", "data", "coords", "sampler", "cluster", "run", "dist", "expr", "potential", "scan", "ode"),
    *("observed", "dims", "shape", "transform", "values", "factor", "center", "path", "column", "from", "args", "of"),
    *("carry", "step", "sequences", "length", "state", "derivative", "times", "weight", "mask", "lower", "function"),
    *(f"{name}" for name in sorted(DISTRIBUTIONS)),
    *(": ", ", ", "{", "}", "[", "]", "\n", "\n  ", "\n    ", "'", '"', "null", "true", "0", "1", "-1", "1e9", "1e400"),
    *("x", "y", "m", "g", "a", "b", "d", "x[0]", "sum(x)", "m + d", "exp(a)", "x[d]", "@", "&a ", "*a", ".nan", ".inf"),
)
EXPRESSIONS = (
    "a[county] + b * floor",
    "beta[0] + beta[1] * (age == 2)",
    "sum(x, dim='school') / exp(-mu) ** 2",
    "where(x > 0 & ~y, log(x), -1.5e-3)",
    "(X @ beta)[:, None][1:-1:2].T",
    "concatenate(x[1:], ones(3), mean(y, axis=0))",
)
DOCUMENTS = (
    "model:\n  variables:\n    x: {dist: Normal, mu: 0, sigma: 1e-3}\nrun: {out: a b}\n",
    "a: &one [1, 2.5, true]\nb: *one\nc:\n- x\n- {y: 'z', w: \"v\"}\n",
    "text: |\n  two\n  lines\nfolded: >-\n  and\n  more\n? key\n: value\n",
)
_NODES = (Apply, Constant, Reference, Slice, Span)
_PLAIN = (dict, list, str, int, float, bool, type(None))
CONFIGS = (
    'model: {variables: {x: {dist: Normal, mu: 0, sigma: 1}, y: {expr: "x[0] + sum(x)"}}}\nsampler: {draws: 5}\n',
    "model:\n  coords: {g: [a, b]}\n  data: {d: {values: [1, 2], dims: [g]}, f: {values: [u, v], factor: h}}\n"
    "  variables:\n    m: {dist: Gamma, alpha: 2, beta: 1, dims: g}\n    p: {potential: -m**2}\n"
    "    y: {dist: Poisson, mu: m, observed: d}\n",
    "model:\n  variables:\n    s: {scan: {carry: {a: 1.0}, step: {a: a * 0.5}, length: 3}}\n"
    "    o: {ode: {state: {q: 1.0}, derivative: {q: -q}, times: [1, 2]}}\n"
    "    z: {dist: Truncated, of: {dist: Normal}}\n",
    "name: n\nmodel: {from: 'no_such:f', args: {a: 1}}\ncluster: {factory: no_such.C}\nrun: {out: o}\n",
    "model: {variables: {x: {dist: Custom, function: 'no_such:f', support: real, loc: [1, null]}}}\n",
)
# What would be a way out: running code, opening anything. Building a model may open the data that it names.
_FORBIDDEN = ("exec", "import", "open", "os.", "subprocess.", "pickle.", "socket.", "ctypes.", "marshal.", "shutil.")
_NEVER = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.", "pickle.", "socket.", "shutil.")


class _Watch:
    """An audit hook cannot be removed: it looks only while it is told to."""

    watching: tuple[str, ...] = ()
    installed = False

    @classmethod
    def hook(cls, event: str, arguments: Any) -> None:
        if cls.watching and event.startswith(cls.watching):
            cls.watching = ()
            raise AssertionError(f"{event}{arguments}")


@contextlib.contextmanager
def confined(forbidden: tuple[str, ...] = _FORBIDDEN) -> Iterator[None]:
    """Fails whatever does in here what is `forbidden`: imports, opens or runs something."""
    if not _Watch.installed:
        # Python imports a codec at its first use.
        codecs.lookup("utf-8-sig")
        sys.addaudithook(_Watch.hook)
        _Watch.installed = True
    _Watch.watching = forbidden
    try:
        yield
    finally:
        _Watch.watching = ()


def check_expression(text: str) -> bool:
    """Whether `text` is an expression; then it is made of nothing but the text's names and the functions allowed."""
    try:
        with confined(), warnings.catch_warnings(action="ignore"):
            expression = parse_expression(text)
    except ExmcError:
        return False
    written = unicodedata.normalize("NFKC", text)
    for node in walk(expression):
        assert type(node) in _NODES, (text, node)
        if isinstance(node, Apply):
            assert node.operation in OPERATIONS or node.operation in FUNCTIONS, (text, node.operation)
        if isinstance(node, Reference):
            assert node.name in written, (text, node.name)
            assert not node.name.startswith("__"), (text, node.name)
    return True


def check_yaml(text: str) -> bool:
    """Whether `text` is YAML that is read; then it is mappings, lists, text and numbers, and nothing else."""
    try:
        with confined():
            values = read_yaml(text.encode("utf-8", "surrogatepass"), "fuzz.yaml").values
    except ExmcError:
        return False
    waiting = [values]
    while waiting:
        value = waiting.pop()
        assert type(value) in _PLAIN, (text, value)
        waiting += [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return True


def check_config(text: str) -> bool:
    """Whether `text` is a config with a model; else there is one error. No module lies where it may be imported."""
    raw = text.encode("utf-8", "surrogatepass")
    try:
        with confined(_NEVER), warnings.catch_warnings(action="ignore"), permitted(None):
            document = read_yaml(raw, "fuzz.yaml")
            if not isinstance(document.values, dict):
                return False
            config = parse_config(document.values, Places("fuzz.yaml", {}), Path("/nowhere"))
            build_model(config.model, config.sampler.centering)
    except ExmcError:
        return False
    return True


CHECKS: dict[str, tuple[Callable[[str], bool], tuple[str, ...], tuple[str, ...]]] = {
    "expressions": (check_expression, EXPRESSION_TOKENS, EXPRESSIONS),
    "YAML": (check_yaml, YAML_TOKENS, DOCUMENTS),
    "configs": (check_config, CONFIG_TOKENS, CONFIGS),
}


def hostile(generator: random.Random, tokens: tuple[str, ...], legal: tuple[str, ...]) -> str:
    """Up to 15 tokens, or legal text into which a few were put in the place of what stood there."""
    if generator.random() < 0.5:
        return "".join(generator.choices(tokens, k=generator.randrange(1, 16)))
    text = generator.choice(legal)
    for _ in range(generator.randrange(4)):
        first = generator.randrange(len(text) + 1)
        last = min(first + generator.randrange(4), len(text))
        inserted = generator.choice(tokens) if generator.random() < 0.8 else chr(generator.randrange(0x11000))
        text = text[:first] + inserted + text[last:]
    return text


def main() -> int:
    """Feed the parsers random text; an input that breaks one is printed."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=main.__doc__)
    parser.add_argument(
        "--inputs", type=int, default=1_000_000, help="in all; a third of them each expressions, YAML and configs"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    for name, (check, tokens, legal) in CHECKS.items():
        read, started = 0, time.perf_counter()
        for _ in range(options.inputs // len(CHECKS)):
            text = hostile(generator, tokens, legal)
            try:
                read += check(text)
            except BaseException:
                print(f"{name}: {text!r}", flush=True)
                raise
        seconds = time.perf_counter() - started
        print(f"{name}: {options.inputs // len(CHECKS)} inputs, {read} of them legal, {seconds:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""What was compiled once is found again, where the data have the facts that it relies on, and only there."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest

from exmc import machine_code
from exmc.compile import library, origin, preparation, record, written
from exmc.compile.function import DataFunction
from exmc.compile.kernel import Kernel, compile_density, compile_outputs
from exmc.compile.layout import posterior_names
from exmc.compile.logp import constrain_function, log_density_function, pointwise_function
from exmc.compile.oracle import autograd_value_and_gradient, evaluate
from exmc.compile.program import compile_model
from exmc.compile.scan import scan
from exmc.errors import CompileError
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from exmc.rewrite.run import rewrite
from tests.rewrite.models import MODELS, schools


def permuted(model: Model, seed: int, wanted: Callable[[np.ndarray], bool] = lambda _: True) -> Model:
    """The model with the values of each of its data in another order: other data of the same kind."""
    generator = np.random.default_rng(seed)
    data = {
        name: replace(data, values=generator.permutation(data.values.reshape(-1)).reshape(data.values.shape))
        if wanted(data.values)
        else data
        for name, data in model.data.items()
    }
    return replace(model, data=data)


def is_series(values: np.ndarray) -> bool:
    """Whether values are numbers that any of each other might be: no gap, no key, no row of a matrix."""
    return values.dtype == float and values.ndim == 1 and bool(np.all(np.isfinite(values)))


def with_other_data(source: Model, model: Model, seed: int) -> tuple[Model, Model]:
    """Source and rewritten model with other data; rewritten anew where summing out or gaps made data of data."""
    if any("_at" in name for name in model.data.keys() - source.data.keys()):
        other = permuted(source, seed, is_series)
        return other, rewrite(other).model
    return permuted(source, seed), permuted(model, seed)


def indexed() -> Builder:
    """Rows that pick elements by keys of data: of a vector, of a matrix by two keys and by one."""
    generator = np.random.default_rng(4)
    return (
        Builder()
        .data("group", generator.integers(0, 5, 40))
        .data("other", generator.integers(0, 3, 40))
        .data("one", 2)
        .data("y", generator.normal(size=40))
        .rv("a", "Normal", shape=(5,))
        .rv("m", "Normal", shape=(5, 3))
        .det("seen", "a[one] * m[one, 1] + m[:, 1][group] + sum(m[group], axis=1)")
        .rv("y_seen", "Normal", mu="a[group] + m[group, other] + m[one, other] + seen", observed="y")
    )


ALL: dict[str, Callable[[], Builder]] = {name: make for name, (make, _) in MODELS.items()} | {"indexed": indexed}


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows when something is recorded, and when something is compiled."""
    done: list[str] = []

    def noted(module: ModuleType, name: str) -> None:
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, **k: (done.append(name), real(*a, **k))[1])

    noted(record, "record_function")
    noted(machine_code, "emit_object")
    return done


def assert_density(found: Any, function: DataFunction, dimension: int) -> None:
    for seed in range(3):
        position = np.random.default_rng(seed).uniform(-0.7, 0.7, dimension)
        value, gradient = found.load()(position)
        expected = autograd_value_and_gradient(function, position)
        np.testing.assert_allclose(value, expected[0], rtol=1e-10)
        if np.isfinite(expected[0]):
            np.testing.assert_allclose(gradient, expected[1], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ALL)
def test_new_data_of_the_same_shapes_compile_nothing_and_compute_what_autograd_does(
    name: str, tmp_path: Path, recordings: list[str]
) -> None:
    source = ALL[name]().build()
    model = rewrite(source).model
    first = compile_model(source, model, cache=tmp_path)
    first.pointwise()
    recordings.clear()
    names = posterior_names(source, model)
    for seed in range(3):
        theirs, other = with_other_data(source, model, seed)
        again = compile_model(theirs, other, cache=tmp_path)
        dimension = again.layout.dimension
        assert_density(again._density, log_density_function(other), dimension)
        position = np.random.default_rng(seed).uniform(-0.7, 0.7, dimension)
        found = again.constrain(position[None])
        expected = evaluate(constrain_function(other, names), position)
        for variable, array in zip(names, expected, strict=True):
            np.testing.assert_allclose(found[variable][0], array, rtol=1e-12, atol=1e-14)
        terms = again.pointwise()
        assert terms.note is None
        function, *_ = pointwise_function(theirs, other)
        for mine, array in zip(terms.function(position[None]), evaluate(function, position), strict=True):
            np.testing.assert_allclose(mine[0], array, rtol=1e-10, atol=1e-12)
    assert recordings == []


def test_other_groups_of_the_same_sizes_are_summed_out_without_compiling(tmp_path: Path, recordings: list[str]) -> None:
    def grouped(group: list[int], y: list[float]) -> Model:
        builder = Builder().data("group", group).rv("mu", "Normal", shape=2).rv("z", "Bernoulli", p=0.3, shape=3)
        return builder.rv("y", "Normal", mu="mu[z[group]]", sigma=1.0, observed=y).build()

    for model, expected in (
        (grouped([0, 1, 1, 2], [0.0, 1.0, 2.0, 3.0]), True),
        (grouped([0, 2, 1, 1], [0.0, 1.0, 2.0, 4.0]), False),
    ):
        recordings.clear()
        found = rewrite(model).model
        compiled = compile_model(model, found, cache=tmp_path)
        assert bool(recordings) is expected
        assert_density(compiled._density, log_density_function(found), compiled.layout.dimension)


def test_a_found_kernel_has_the_bits_of_one_compiled_for_its_data(tmp_path: Path) -> None:
    source = indexed().build()
    model = permuted(rewrite(source).model, 1)
    compile_model(source, rewrite(source).model, cache=tmp_path / "used")
    position = np.linspace(-1.0, 1.0, 20)
    found, anew = (compile_model(source, model, cache=tmp_path / name).density()(position) for name in ("used", "new"))
    assert found[0] == anew[0]
    assert found[1].tobytes() == anew[1].tobytes()


def test_a_start_in_another_process_needs_neither_the_tracer_nor_llvm(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from exmc import machine_code\n"
        "from exmc.compile import record\n"
        "from exmc.compile.program import compile_model\n"
        "from exmc.rewrite.run import rewrite\n"
        "from tests.rewrite.models import schools\n"
        "done = []\n"
        "for module, name in ((record, 'record_function'), (machine_code, 'emit_object')):\n"
        "    real = getattr(module, name)\n"
        "    setattr(module, name, lambda *a, name=name, real=real, **k: (done.append(name), real(*a, **k))[1])\n"
        "source = schools().build()\n"
        "compiled = compile_model(source, rewrite(source).model, cache=Path(sys.argv[1]))\n"
        "print(compiled.density()(np.zeros(10))[0].hex(), *done)\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True, cwd=Path.cwd()
        ).stdout.split()
        for _ in range(2)
    ]
    assert runs[0][1:] == ["record_function", "emit_object", "record_function", "emit_object"]
    assert runs[1] == runs[0][:1]


def rows(values: np.ndarray) -> DataFunction:
    """A density whose code reads its many data in the smallest dtype that holds them."""
    return DataFunction(lambda x, y: -0.5 * anp.sum((y - x[0]) ** 2), (values,), "rows")


def test_data_that_need_another_dtype_are_not_read_by_code_for_the_old_one(
    tmp_path: Path, recordings: list[str]
) -> None:
    generator = np.random.default_rng(0)
    small, wide, fine = (
        generator.integers(0, 9, 40_000) * 1.0,
        generator.integers(0, 900, 40_000) * 1.0,
        generator.normal(size=40_000),
    )
    for values in (small, wide, fine):
        recordings.clear()
        assert_density(compile_density(rows(values), 1, cache=tmp_path), rows(values), 1)
        assert recordings == ["record_function", "emit_object"]
    recordings.clear()
    # One value is enough, and all three codes are known by now.
    small[777] = 0.1
    for values in (small, wide + 1.0, generator.permutation(fine)):
        assert_density(compile_density(rows(values), 1, cache=tmp_path), rows(values), 1)
    assert recordings == []


def branching(values: np.ndarray) -> DataFunction:
    """A density that looks at its data, so that what is recorded of it holds for these alone."""
    return DataFunction(
        lambda x, y: -anp.sum((y - x[0]) ** 2) if y[0] > 0.0 else -anp.sum((y - x[0]) ** 4), (values,), "branching"
    )


def masking(values: np.ndarray) -> DataFunction:
    """A density of as many terms as its data choose."""
    return DataFunction(lambda x, y: -anp.sum((x[0] * anp.arange(3.0))[y > 0.0] ** 2) - x[0] ** 2, (values,), "mask")


@pytest.mark.parametrize("make", [branching, masking])
def test_a_function_that_looks_at_its_data_is_known_for_these_data_only(
    make: Callable[[np.ndarray], DataFunction], tmp_path: Path, recordings: list[str]
) -> None:
    above, below = np.array([1.0, 2.0, 0.5]), np.array([-1.0, 2.0, 0.5])
    for values in (above, below):
        recordings.clear()
        assert_density(compile_density(make(values), 1, cache=tmp_path), make(values), 1)
        assert "record_function" in recordings
    recordings.clear()
    for values in (above, below):
        assert_density(compile_density(make(values), 1, cache=tmp_path), make(values), 1)
    assert recordings == []


def test_a_scan_over_data_is_found(tmp_path: Path, recordings: list[str]) -> None:
    def density(x: Any, y: Any, start: Any) -> Any:
        def step(carry: Any, now: Any, slope: Any) -> Any:
            carry = anp.tanh(slope * carry + now)
            return carry, carry**2

        _, terms = scan(step, start, y, (x[0],))
        return -anp.sum(terms) - x[0] ** 2

    def function(seed: int) -> DataFunction:
        generator = np.random.default_rng(seed)
        return DataFunction(density, (generator.normal(size=20), generator.normal(size=())), "scan")

    compile_density(function(0), 1, cache=tmp_path)
    recordings.clear()
    assert_density(compile_density(function(1), 1, cache=tmp_path), function(1), 1)
    assert recordings == []


def test_an_index_that_is_out_of_range_in_new_data_is_an_error(tmp_path: Path) -> None:
    def function(index: list[int]) -> DataFunction:
        return DataFunction(lambda x, k: -anp.sum((x[k] - 1.0) ** 2), (np.array(index),), "index")

    compile_density(function([0, 1, 2, -1]), 3, cache=tmp_path)
    with pytest.raises(CompileError, match="IndexError"):
        compile_density(function([0, 1, 3, -1]), 3, cache=tmp_path)


def test_what_decides_the_code_is_part_of_its_key(tmp_path: Path, recordings: list[str]) -> None:
    def model(sigma: float = 1.0, rows: int = 3, whole: bool = False) -> Model:
        seen = np.arange(rows) if whole else np.arange(rows) / 2.0
        return rewrite(Builder().rv("m", "Normal", sigma=sigma).rv("y", "Normal", mu="m", observed=seen).build()).model

    for other in (model(), model(sigma=2.0), model(rows=4), model(whole=True)):
        recordings.clear()
        compiled = compile_model(other, other, cache=tmp_path)
        assert_density(compiled._density, log_density_function(other), 1)
        assert "record_function" in recordings
    # The outputs and the density of one model are two functions.
    recordings.clear()
    compile_outputs(constrain_function(model(), ["m"]), 1, cache=tmp_path)
    compile_outputs(constrain_function(model(), []), 1, cache=tmp_path)
    assert "record_function" in recordings


def test_a_function_without_identity_is_recorded_each_time(tmp_path: Path, recordings: list[str]) -> None:
    for _ in range(2):
        recordings.clear()
        compile_density(replace(rows(np.arange(4.0)), identity=""), 1, cache=tmp_path)
        assert "record_function" in recordings
    assert list(tmp_path.glob("*.json")) == []


def test_sources_that_changed_meanwhile_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "source_digest", lambda: "edited")
    compile_density(rows(np.arange(4.0)), 1, cache=tmp_path)
    assert list(tmp_path.glob("*.json")) == []


@pytest.mark.parametrize("damage", ["gone", "torn", "foreign", "empty"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_damaged_page_is_written_anew(tmp_path: Path, which: int, damage: str, recordings: list[str]) -> None:
    compile_density(rows(np.arange(4.0)), 1, cache=tmp_path)
    pages = sorted(tmp_path.glob("*.json"), key=lambda p: b'"code"' in p.read_bytes())
    assert len(pages) == 2
    whole = pages[which].read_bytes()
    if damage == "gone":
        pages[which].unlink()
    else:
        pages[which].write_bytes({"torn": whole[:-9], "foreign": b"{}", "empty": b""}[damage])
    recordings.clear()
    function = rows(np.arange(4.0) ** 2)
    assert_density(compile_density(function, 1, cache=tmp_path), function, 1)
    assert "record_function" in recordings
    assert pages[which].read_bytes() == whole
    recordings.clear()
    compile_density(function, 1, cache=tmp_path)
    assert recordings == []


@pytest.mark.parametrize("content", [{}, {"questions": [["unheard of", "constant", 0]]}, {"code": {}}, {"program": 1}])
def test_a_page_of_another_form_is_not_believed(tmp_path: Path, content: dict[str, Any]) -> None:
    function = rows(np.arange(4.0))
    compile_density(function, 1, cache=tmp_path)
    cache = library.ObjectCache(tmp_path)
    for path in tmp_path.glob("*.json"):
        cache.put(path.stem, json.dumps(content).encode(), ".json")
    assert_density(compile_density(function, 1, cache=tmp_path), function, 1)


def test_pages_that_ask_other_questions_lead_on(tmp_path: Path, recordings: list[str]) -> None:
    """Whoever was first may have asked other questions than this code depends on: both are answered."""
    values = np.arange(40_000.0) % 7.0
    compile_density(rows(values), 1, cache=tmp_path)
    cache = library.ObjectCache(tmp_path)
    (root,) = [p for p in tmp_path.glob("*.json") if b'"program"' in p.read_bytes()]
    page = json.loads(cache.get(root.stem, ".json") or b"")
    assert page["questions"] == [["narrowest", "constant", 0]]
    for path in tmp_path.glob("*.json"):
        path.unlink()
    page["questions"] = [["digest", "constant", 0]]
    cache.put(root.stem, json.dumps(page).encode(), ".json")
    for _ in range(2):
        found = compile_density(rows(values), 1, cache=tmp_path)
        assert_density(found, rows(values), 1)
    assert recordings.count("record_function") == 2
    assert len(list(tmp_path.glob("*.json"))) == 3


def test_writers_at_the_same_time_agree(tmp_path: Path) -> None:
    found: dict[int, float] = {}

    def work(number: int) -> None:
        source = schools(1.0).build()
        compiled = compile_model(source, rewrite(source).model, cache=tmp_path)
        found[number] = compiled.density()(np.zeros(10))[0]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found.values())) == 1
    assert list(tmp_path.glob("*.partial")) == []


def test_data_of_the_function_itself_are_kept_only_while_they_are_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = np.arange(64.0)
    function = DataFunction(lambda x, y: -anp.sum((y * fixed - x[0]) ** 2), (np.ones(64),), "fixed")
    compile_density(function, 1, cache=tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 2
    monkeypatch.setattr(written, "MOST_BYTES", 100)
    compile_density(replace(function, identity="again"), 1, cache=tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_data_that_nobody_has_prepared_cannot_reach_the_code() -> None:
    """The tape that is lowered holds no equation on data alone: new data can change its constants only."""
    source = indexed().build()
    model = rewrite(source).model
    function = log_density_function(model)
    recording = record.record_function(function, 20, gradient=True)
    assert not recording.bound
    assert not recording.tape.prepared
    program, arguments = recording.preparation.program(list(recording.tape.constants.values()))
    for data in (function.data, log_density_function(permuted(model, 3)).data):
        found = preparation.run(program, arguments, data)
        expected = record.record_function(replace(function, data=data), 20, gradient=True).tape.constants.values()
        assert len(found) == len(expected)
        for mine, theirs in zip(found, expected, strict=True):
            assert mine.tobytes() == theirs.values.tobytes()


def test_kernels_that_are_found_pickle(tmp_path: Path) -> None:
    first, second = (compile_density(rows(np.arange(4.0)), 1, cache=tmp_path) for _ in range(2))
    assert isinstance(first, Kernel)
    assert isinstance(second, Kernel)
    assert first.digest == second.digest

"""A config is read with its defaults, overridden from the command line, and written out whole."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from exmc.ir.serial import digest
from pipelines.building import build_model
from pipelines.checking import build, check_config
from pipelines.config import config_text, load_config, resolved, with_out
from pipelines.model_section import InlineModel, RecordedModel
from pipelines.places import LocatedError
from pipelines.sections import FactoryCluster, LocalCluster, RemoteCluster, SamplerSection, SecuritySection

CONFIGS = Path(__file__).parents[2] / "configs"
ALL = sorted(CONFIGS.rglob("*.yaml"))
SMALL = "model: {variables: {x: {dist: Normal, mu: 0, sigma: 1}}}\n"


def write(folder: Path, text: str, name: str = "small.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_every_config_is_valid_and_survives_being_resolved(path: Path, tmp_path: Path) -> None:
    checked = check_config(load_config(path))
    text = config_text(resolved(checked.config))
    again = check_config(load_config(write(tmp_path, text)))
    assert config_text(resolved(again.config)) == text
    assert digest(again.rewriting.source) == digest(checked.rewriting.source)
    assert again.options == checked.options


def test_defaults(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, SMALL))
    assert config.name == "small"
    assert config.out == Path("runs/small")
    assert (config.sampler.draws, config.sampler.warmup, config.sampler.chains) == (1000, 400, 4)
    assert config.cluster == LocalCluster()
    assert config.min_chains == 2
    assert config.seed != load_config(write(tmp_path, SMALL)).seed


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("{}", ("fisher", "auto", 400)),
        ("{adaptation: fisher}", ("fisher", "auto", 400)),
        ("{adaptation: stan}", ("stan", "diagonal", 1000)),
        ("{adaptation: stan, metric: dense, warmup: 70}", ("stan", "dense", 70)),
        ("{metric: diagonal, warmup: 0}", ("fisher", "diagonal", 0)),
    ],
)
def test_an_adaptation_brings_its_metric_and_its_warm_up(
    section: str, expected: tuple[str, str, int], tmp_path: Path
) -> None:
    config = load_config(write(tmp_path, SMALL + f"sampler: {section}"))
    assert isinstance(config.sampler, SamplerSection)
    assert (config.sampler.adaptation, config.sampler.metric, config.sampler.warmup) == expected


def test_one_chain_needs_one_chain(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, SMALL + "sampler: {chains: 1}")).min_chains == 1


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("{workers: 3, processes: true}", LocalCluster(workers=3, processes=True)),
        ("{address: 'tls://s:8786', security: {ca_file: a, cert: b, key: c}}",
         RemoteCluster(address="tls://s:8786", security=SecuritySection(ca_file="a", cert="b", key="c"))),
        ("{address: 'tls://s:8786'}", RemoteCluster(address="tls://s:8786")),
        ("{factory: dask_jobqueue.SLURMCluster, kwargs: {cores: 4}, workers: 8}",
         FactoryCluster(factory="dask_jobqueue.SLURMCluster", kwargs={"cores": 4}, workers=8)),
    ],
)  # fmt: skip
def test_clusters(section: str, expected: object, tmp_path: Path) -> None:
    assert load_config(write(tmp_path, f"{SMALL}cluster: {section}\n")).cluster == expected


def test_overrides_win_and_are_values(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL + "sampler: {draws: 10, seed: 3}\n")
    overrides = ["sampler.draws=20", "run.out=a b", "model.variables.x.sigma=1e-3", "cluster={workers: 2}"]
    config = load_config(path, overrides)
    assert (config.sampler.draws, config.seed, str(config.out)) == (20, 3, "a b")
    assert config.cluster == LocalCluster(workers=2)
    assert isinstance(config.model, InlineModel)
    assert (config.model.variables["x"].model_extra or {})["sigma"] == 1e-3


def test_out_on_the_command_line_is_where_its_errors_are(tmp_path: Path) -> None:
    config = with_out(load_config(write(tmp_path, SMALL)), "elsewhere")
    assert config.out == Path("elsewhere")
    assert config.places.of(("run", "out")) == "--out elsewhere"


def test_data_from_files_are_pinned_by_their_digest(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("x,k,ok\n1.5,3,true\n2,4,false\n")
    text = (
        "model:\n  data:\n    x: {path: d.csv, column: x, dims: row}\n    k: {path: d.csv, column: k}\n"
        "    both: {path: d.csv, column: [x, k], dims: [row, feature]}\n"
        "    ok: {path: d.csv, column: ok}\n    one: 2.5\n"
        "    list: [1, 2]\n  variables: {z: {dist: Normal, mu: 0, sigma: 1}}\n"
    )
    config = load_config(write(tmp_path, text))
    model = build(config)
    assert {n: d.kind for n, d in model.data.items()} == {
        "x": "float", "k": "int", "both": "float", "ok": "bool", "one": "float", "list": "int"}  # fmt: skip
    assert model.data["both"].values.tolist() == [[1.5, 3], [2, 4]]
    assert model.data["both"].dims == ("row", "feature")
    again = write(tmp_path, config_text(resolved(config)), "again.yaml")
    assert digest(build(load_config(again))) == digest(model)
    (tmp_path / "d.csv").write_text("x,k,ok\n1.5,3,true\n2,5,false\n")
    with pytest.raises(LocatedError, match="has changed"):
        load_config(again)


def test_values_may_stand_where_a_name_may(tmp_path: Path) -> None:
    text = "model: {variables: {x: {dist: Normal, mu: [0, 1.5], sigma: 1, observed: [1, 2]}, z: {expr: '1 + 1'}}}"
    model = build(load_config(write(tmp_path, text)))
    assert sorted(model.data) == ["x_mu", "x_observed"]


def test_sampler_centering_is_for_those_that_choose_none(tmp_path: Path) -> None:
    text = (
        "model: {variables: {a: {dist: Normal, mu: 0}, b: {dist: Normal, mu: a, centering: auto}}}\n"
        "sampler: {centering: centered}\n"
    )
    model = build(load_config(write(tmp_path, text)))
    assert [getattr(n, "centering", None) for n in model] == ["centered", "auto"]


def test_a_recorded_model_is_the_model(tmp_path: Path) -> None:
    from exmc.ir import serial

    model = build(load_config(CONFIGS / "eight_schools.yaml"))
    assert digest(build_model(RecordedModel(serial.dumps(model)))) == digest(model)


def test_errors_cross_process_borders(tmp_path: Path) -> None:
    with pytest.raises(LocatedError) as raised:
        load_config(write(tmp_path, SMALL + "sampler: {draws: -1}\n"))
    copy = pickle.loads(pickle.dumps(raised.value))
    assert str(copy) == str(raised.value)
    assert copy.where == ("sampler", "draws")


def test_configs_can_be_sent_to_workers() -> None:
    config = load_config(CONFIGS / "eight_schools.yaml")
    copy = pickle.loads(pickle.dumps(config))
    assert config_text(resolved(copy)) == config_text(resolved(config))


def test_an_error_in_an_imported_model_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken_model.py").write_text("def model():\n    return 1 / 0\n")
    config = load_config(write(tmp_path, "model: {from: 'broken_model:model'}\n"), code=tmp_path)
    with pytest.raises(LocatedError, match=r"small\.yaml:1: model\.from: .*ZeroDivisionError.*broken_model\.py:2"):
        build(config)


def test_errors_of_data_are_at_their_entry(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("x\n1\nabc\n")
    with pytest.raises(LocatedError) as raised:
        load_config(write(tmp_path, "model:\n  data: {x: {path: d.csv}}\n  variables: {z: {dist: Flat}}\n"))
    assert raised.value.where == ("model", "data", "x", "path")
    assert raised.value.place == f"{tmp_path / 'small.yaml'}:2"

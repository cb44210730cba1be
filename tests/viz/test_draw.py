from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot
import numpy as np
import pytest
import xarray as xr

from exmc.diagnostics.selection import SLASH
from exmc.errors import ConfigError, StoreError
from exmc.viz import plot
from exmc.viz.draw import Backend
from tests.viz.runs import small

matplotlib.use("Agg")
BEGINNINGS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "html": b"<!DOCTYPE html>"}


@pytest.mark.parametrize("ending", BEGINNINGS)
def test_the_ending_of_a_file_decides_its_format(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"mu.{ending.upper()}"
    plot(small(), "dist", ["mu"], out=path)
    assert path.read_bytes().lstrip().startswith(BEGINNINGS[ending])
    assert not matplotlib.pyplot.get_fignums()


def test_the_same_draws_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        plot(small(), "trace", ["mu"], out=tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_labels_have_the_names_of_coordinates(tmp_path: Path) -> None:
    path = tmp_path / "forest.svg"
    plot(small(), "forest", out=path)
    assert all(f"theta[school {i}{SLASH}3]" in path.read_text() for i in range(3))


def test_a_long_label_is_broken_and_shortened() -> None:
    tree = small()
    long = tree["posterior"].to_dataset().rename(mu="a_name_" * 8)
    picture = plot(tree.assign(posterior=tree["posterior"].from_dict({"/": long})), "trace", ["a_name_" * 8])
    titles = [axes.get_title() for axes in picture.figure.axes]
    picture.close()
    assert titles == ["a_name_a_n…me_a_name_"]


def test_energies_are_those_of_chains_by_name() -> None:
    """Chains that failed are left out, and of many some have their names beside the axis."""

    def names(chains: list[int], labels: list[int], backend: Backend = "matplotlib") -> list[str]:
        statistics = small()["sample_stats"].to_dataset().isel(chain=chains).assign_coords(chain=labels)
        picture = plot(xr.DataTree.from_dict({"sample_stats": statistics}), "energy", backend=backend)
        axes = picture.collection.viz["plot"].sel(column="bfmi").item()
        picture.close()
        if backend == "bokeh":
            return list(axes.yaxis[0].major_label_overrides.values())
        return [tick.get_text() for tick in axes.get_yticklabels()]

    assert names([0, 2], [0, 2]) == ["0", "2"]
    assert names([0, 2], [0, 2], "bokeh") == ["0", "2"]
    assert names([0, 1] * 50, list(range(100))) == [str(n) for n in range(0, 100, 9)]


def test_a_heavy_prior_does_not_hide_the_posterior() -> None:
    tree = small(schools=1)
    tree["prior"]["tau"][0, 0] = 1e9
    picture = plot(tree, "prior-posterior", ["tau"])
    low, high = picture.figure.axes[0].get_xlim()
    picture.close()
    assert np.array([-100, 100])[0] < low < high < 100
    assert "without their far ends" in picture.notes[-1]


def test_the_users_style_and_figures_are_left_alone() -> None:
    before, mine = matplotlib.rcParams.copy(), matplotlib.pyplot.figure()
    plot(small(), "dist", ["mu"]).close()
    assert matplotlib.rcParams == before
    assert matplotlib.pyplot.get_fignums() == [mine.number]
    matplotlib.pyplot.close(mine)


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no plot 'traces'. Did you mean 'trace'"):
        plot(small(), "traces")
    with pytest.raises(ConfigError, match=r"mu.gif: a picture cannot be written there. .*\.png, \.svg"):
        plot(small(), "trace", out=tmp_path / "mu.gif")
    with pytest.raises(ConfigError, match="at least 1"):
        plot(small(), "trace", most=0)
    with pytest.raises(StoreError, match="no variable 'thta'"):
        plot(small(), "trace", ["thta"])
    with pytest.raises(StoreError, match="no observed variable 'x'"):
        plot(small(), "ppc", ["x"])
    with pytest.raises(StoreError, match="no variables to choose"):
        plot(small(), "energy", ["mu"])


def test_one_observation_has_steps_and_no_loo_pit() -> None:
    picture = plot(small(schools=1), "ppc")
    picture.close()
    with pytest.raises(StoreError, match="arviz-plots cannot draw this"):
        plot(small(schools=1), "loo-pit")
    assert not matplotlib.pyplot.get_fignums()


def test_draws_of_another_method_have_no_energy() -> None:
    tree = small()
    bare = tree.assign(sample_stats=type(tree)(tree["sample_stats"].to_dataset()[["diverging"]]))
    with pytest.raises(StoreError, match="have no energy"):
        plot(bare, "energy")

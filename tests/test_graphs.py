"""Graphs' matrices: what they hold, their slopes, and that they are computed when data are prepared."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.test_util import check_grads

from exmc import graphs
from exmc.compile.program import compile_model
from exmc.errors import ModelError
from exmc.ir.builder import Builder
from exmc.ir.model import Model
from exmc.rewrite.run import rewrite

MATRIX = np.array([[2.0, 0.5, -1.0], [0.5, 1.0, 0.3], [-1.0, 0.3, 0.0]])


def test_adjacency_counts_pairs() -> None:
    found = graphs.adjacency(np.array([0, 0, 1]), np.array([1, 2, 0]), 4)
    np.testing.assert_array_equal(found, [[0, 2, 1, 0], [2, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("node", [-1, 3])
def test_a_node_beyond_the_graph_is_an_error(node: int) -> None:
    with pytest.raises(IndexError):
        graphs.adjacency(np.array([node]), np.array([0]), 3)


def test_eigenvalues_are_those_of_each_matrix() -> None:
    stack = np.stack([MATRIX, np.eye(3), np.full((3, 3), np.nan)])
    values, vectors = graphs.eigenvalues(stack), graphs.eigenvectors(stack)
    for matrix, roots, columns in zip(stack[:2], values, vectors, strict=False):
        np.testing.assert_allclose(matrix @ columns, columns * roots, atol=1e-14)
    assert np.all(np.isnan(values[2]))
    assert np.all(np.isnan(vectors[2]))


def test_slopes_of_eigenvalues() -> None:
    def of_symmetric(x):
        return graphs.eigenvalues(x + anp.swapaxes(x, -1, -2))

    check_grads(of_symmetric, modes=["rev"], order=1)(np.stack([MATRIX, MATRIX @ MATRIX]))


def _areas(**graph) -> Model:
    builder = Builder().rv("alpha", "Uniform", low=0.0, high=1.0).rv("tau", "Gamma", alpha=2.0, beta=2.0)
    return builder.rv("x", "CAR", alpha="alpha", tau="tau", shape=4, **graph).build()


@pytest.mark.parametrize(
    "graph",
    [
        {"node1": [0, 1, 2], "node2": [1, 2, 3]},
        {"W": np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)},
    ],
)
def test_spectra_of_data_are_no_part_of_the_code(graph, tmp_path) -> None:
    model = _areas(**graph)
    for _ in range(2):  # made, and found again
        compiled = compile_model(model, rewrite(model).model, cache=tmp_path)
        assert compiled.engine == "native"
    other = [0, 1, 0] if "node1" in graph else graph["W"] * 2.0
    changed = _areas(**{**graph, next(iter(graph)): other})
    again = compile_model(changed, rewrite(changed).model, cache=tmp_path)
    assert again.engine == "native"
    position = np.linspace(-1.0, 1.0, 6)
    assert again.density()(position)[0] != compiled.density()(position)[0]


def test_weights_that_depend_on_variables_run_interpreted(tmp_path) -> None:
    model = (
        Builder()
        .data("near", np.diag(np.ones(2), 1) + np.diag(np.ones(2), -1))
        .rv("reach", "HalfNormal")
        .rv("x", "CAR", W="near * reach", alpha=0.5, tau=1.0)
        .build()
    )
    compiled = compile_model(model, rewrite(model).model, cache=tmp_path)
    assert compiled.engine == "autograd"
    assert any("eigenvalues" in note.message for note in compiled.notes)
    assert np.all(np.isfinite(compiled.density()(np.zeros(4))[1]))


@pytest.mark.parametrize(
    ("graph", "complaint"),
    [
        ({"node1": [0, 1], "node2": [1, 4]}, "node 4 is none of the 4 nodes"),
        ({"node1": [0, 1], "node2": [1, 1]}, "node 1 is its own neighbour"),
        ({"node1": [0, 1], "node2": [1, 2]}, "node 3 has no neighbours"),
        ({"W": np.ones((4, 4))}, "not a symmetric matrix of weights"),
        ({"W": np.ones((3, 3)) - np.eye(3)}, "has length 3"),
    ],
)
def test_what_is_no_graph_is_refused(graph, complaint: str) -> None:
    with pytest.raises(ModelError, match=rf"variables\.x.*{complaint}"):
        _areas(**graph)


def test_there_is_one_graph() -> None:
    with pytest.raises(ModelError, match=r"variables\.x: node1 and node2 are the edges of one graph"):
        Builder().rv("x", "ICAR", node1=[[0, 1]], node2=[[1, 2]], shape=(1, 3)).build()


def test_parts_of_a_graph_are_variables_of_their_own() -> None:
    with pytest.raises(ModelError, match=r"variables\.x: the graph is not connected"):
        Builder().rv("x", "ICAR", node1=[0, 2], node2=[1, 3], shape=4).build()

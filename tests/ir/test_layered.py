from __future__ import annotations

import random

import pytest

from exmc.ir.layered import Layout, layered


def graph(nodes: int, seed: int) -> tuple[dict[str, tuple[float, float]], dict[str, list[str]]]:
    chance = random.Random(seed)
    names = [f"n{i}" for i in range(nodes)]
    sizes = {name: (chance.uniform(20, 200), chance.uniform(20, 40)) for name in names}
    parents = {name: chance.sample(names[:i], chance.randint(0, min(i, 3))) for i, name in enumerate(names)}
    return sizes, parents


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("nodes", [1, 2, 9, 40])
def test_boxes_are_apart_and_within_and_edges_point_down(nodes: int, seed: int) -> None:
    sizes, parents = graph(nodes, seed)
    found = layered(sizes, parents)
    corners = {n: box(found, sizes, n) for n in sizes}
    for name, (left, top, right, bottom) in corners.items():
        assert left >= 0
        assert top >= 0
        assert right <= found.width + 1e-9
        assert bottom <= found.height + 1e-9
        for other, (x, y, to_x, to_y) in corners.items():
            apart = right <= x + 1e-9 or to_x <= left + 1e-9 or bottom <= y + 1e-9 or to_y <= top + 1e-9
            assert name == other or apart
    assert set(found.paths) == {(parent, child) for child, above in parents.items() for parent in above}
    for points in found.paths.values():
        heights = [y for _, y in points]
        assert heights == sorted(heights)
    assert layered(sizes, parents) == found


@pytest.mark.parametrize("seed", range(12))
def test_edges_do_not_run_through_boxes_of_the_layers_between(seed: int) -> None:
    sizes, parents = graph(25, seed)
    found = layered(sizes, parents)
    for (parent, child), points in found.paths.items():
        for x, y in points[1:-1]:
            for name in set(sizes) - {parent, child}:
                left, top, right, bottom = box(found, sizes, name)
                assert not (left < x < right and top < y < bottom)


def box(found: Layout, sizes: dict[str, tuple[float, float]], name: str) -> tuple[float, float, float, float]:
    (x, y), (width, height) = found.centres[name], sizes[name]
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def test_a_chain_is_straight_and_nothing_is_nothing() -> None:
    sizes = {"a": (50.0, 20.0), "b": (80.0, 20.0), "c": (20.0, 20.0)}
    found = layered(sizes, {"a": [], "b": ["a"], "c": ["b"]})
    assert len({x for x, _ in found.centres.values()}) == 1
    assert layered({}, {}).centres == {}


def test_what_has_no_parents_is_just_above_its_first_child() -> None:
    sizes = dict.fromkeys("abcd", (10.0, 10.0))
    found = layered(sizes, {"a": [], "b": ["a"], "c": [], "d": ["b", "c"]})
    assert found.centres["c"][1] == found.centres["b"][1]

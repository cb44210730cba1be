from __future__ import annotations

import matplotlib.pyplot
import pytest

from exmc import Builder, Normal
from exmc.ir.drawing import draw_model
from exmc.viz.model_figure import model_picture


@pytest.mark.parametrize(("ending", "beginning"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_drawing_becomes_a_file_and_no_window(ending: str, beginning: bytes) -> None:
    model = Builder().rv("x", Normal, mu=0, sigma=1).det("y_1", "2 * x").build()
    drawing = draw_model(model)
    assert model_picture([("one $ sign", drawing), ("again", drawing)], ending).startswith(beginning)
    assert not matplotlib.pyplot.get_fignums()

"""Model, run and results as notebooks show them, in one that is executed without a screen."""

from __future__ import annotations

import os
from pathlib import Path

import nbclient
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from pipelines.notebook import status_html
from pipelines.status import ChainStatus, RunStatus
from tests.pipelines.running import write_config

ROOT = Path(__file__).parents[2]
CELLS = (
    "import exmc\nmodel = exmc.Builder().rv('mu', exmc.Normal, mu=0, sigma=1)"
    ".rv('y', exmc.Normal, mu='mu', sigma=1).obs('seen', 'y', [0.1, 0.4]).build()\nmodel",
    "from pipelines.handle import start\nrun = start('small.yaml', out='run')\nrun",
    "run.wait()",
    "run.inspect()",
    "import exmc.viz\nexmc.viz.plot(run.inspect(), 'dist', ['mu']).figure",
)


def test_a_notebook_shows_model_run_and_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    write_config(tmp_path)
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in CELLS])
    client = nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    executed: nbformat.NotebookNode = client.execute()
    outputs = [cell.outputs for cell in executed.cells]
    assert "<svg" in html(outputs[0])
    assert "<math" in html(outputs[0])
    # The cell that began the run was redrawn by the driver: it shows the end, which it did not wait for.
    assert "finished" in html(outputs[1])
    assert "theta[a]" in html(outputs[1])
    assert "posterior" in html(outputs[3])
    assert "image/png" in outputs[4][-1].data


def html(outputs: list[nbformat.NotebookNode]) -> str:
    return "".join(str(output.data.get("text/html", "")) for output in outputs if "data" in output)


def test_what_a_run_is_called_is_escaped() -> None:
    chain = ChainStatus(False, 10, 0, 0.5, "<b>boom</b>")
    page = status_html("runs/<script>", RunStatus("failed", 10, (chain,)), "x < y")
    assert "<script>" not in page
    assert "<b>boom" not in page
    assert "x &lt; y" in page

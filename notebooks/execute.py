"""Run a notebook from its first cell to its last, on the sample and this machine; nothing is stored.

Usage: python notebooks/execute.py notebooks/t4.ipynb

A cell that fails ends it with its traceback. The sample is trained on with small settings (`NOTEBOOK_OPTIONS`), in a
folder that is removed.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

SMALL = "protocol.epochs=1 protocol.frames=1 protocol.image_size=96"


def execute(path: Path) -> int:
    """Run it; return how many cells of code ran."""
    notebook = nbformat.read(path, as_version=4)
    if any(cell.get("outputs") for cell in notebook.cells):
        raise SystemExit(f"error: {path} holds outputs, which are not stored; clear them")
    os.environ.setdefault("NOTEBOOK_OPTIONS", SMALL)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}})
        client.execute()
    shown = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in shown:
        for output in cell.outputs:
            print(output.get("text", ""), end="")
    return sum(cell.execution_count is not None for cell in shown)


if __name__ == "__main__":
    print(f"{execute(Path(sys.argv[1]))} cells ran")

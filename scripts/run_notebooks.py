"""Run the notebooks of `examples` and keep what they show: ``python -m scripts.run_notebooks``.

Each runs in an empty folder, as on a reader's machine. What would differ from run to run (times,
counters of the kernel, the version of Python) is not kept.
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(ROOT.glob("examples/*.ipynb"))
PATIENCE_S = 600
"""How long one cell may take."""


def run(notebook: Path, folder: Path, probe: str = "") -> tuple[NotebookNode, str]:
    """Run a notebook from its beginning.

    Args:
        notebook: The file; it is not changed.
        folder: Where the cells run.
        probe: Code that runs after the last cell, in its names.

    Returns:
        The notebook with what its cells showed, and what the probe printed.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell, or the probe, failed.
    """
    book = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        book,
        timeout=PATIENCE_S,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    with client.setup_kernel(env={**os.environ, "PYTHONPATH": str(ROOT)}):
        book.cells.append(nbformat.v4.new_code_cell(probe))  # type: ignore[no-untyped-call]
        for position, cell in enumerate(book.cells):
            client.execute_cell(cell, position)
    probed = book.cells.pop()
    return tidy(book), "".join(output.get("text", "") for output in probed.outputs)


def tidy(book: NotebookNode) -> NotebookNode:
    """Leave out what says more of the machine than of the notebook, in place."""
    book.metadata = nbformat.from_dict(  # type: ignore[no-untyped-call]
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "code_hash": code_hash(book),
        }
    )
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.metadata.clear()
        cell.execution_count = count
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in cell.outputs:
            output.get("metadata", {}).clear()
            if "execution_count" in output:
                output.execution_count = count
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = smaller(output.data["image/png"])
    return book


def code_hash(book: NotebookNode) -> str:
    """Which code ran: kept in the notebook, so that an edit without a run is noticed."""
    code = [cell.source for cell in book.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def smaller(png: str) -> str:
    """A base64 picture in 256 colours, at a third of the bytes."""
    image = Image.open(BytesIO(base64.b64decode(png))).convert("RGB")
    file = BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")


def main(names: list[str]) -> None:
    """Run the notebooks that are named, or all, and write them back with what they showed."""
    for notebook in [Path(name) for name in names] or NOTEBOOKS:
        with TemporaryDirectory() as folder:
            book, _ = run(notebook, Path(folder))
        nbformat.write(book, notebook)  # type: ignore[no-untyped-call]
        sys.stdout.write(f"{notebook.name}: {notebook.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main(sys.argv[1:])

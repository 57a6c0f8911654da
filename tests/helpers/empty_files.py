"""Files of no content, for what reads names alone."""

from pathlib import Path


def put(root: Path, *names: str) -> Path:
    """Make files below a folder, and return the folder."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root

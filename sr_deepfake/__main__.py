"""`python -m sr_deepfake` lists the programs; `sr-deepfake train …` is `python -m sr_deepfake.train …`."""

import importlib
import sys

PROGRAMS = {
    "prepare": "find the faces of videos, once",
    "train": "train a detector, attack it, measure",
    "evaluate": "attack a detector that is there, trained here or external",
    "report": "tables, figures, examples and one page of all results",
    "status": "how far a sweep is",
    "attack": "photos and videos → the same, their faces attacked",
    "playground": "a page to try attacks in",
}


def main() -> None:
    """Run a program by its name, or list them."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in PROGRAMS:
        # Whoever starts the same program again, as a launcher does, needs its own name.
        sys.argv = [f"sr_deepfake.{name}", *sys.argv[2:]]
        importlib.import_module(f"sr_deepfake.{name}").main()
        return
    known = name in ("", "-h", "--help", "help")
    lines = [] if known else [f"error: unknown program {name!r}"]
    lines += ["Usage: python -m sr_deepfake.PROGRAM [GROUP=CHOICE ...] [KEY=VALUE ...], or sr-deepfake PROGRAM ...", ""]
    lines += [f"  {program:10} {what}" for program, what in PROGRAMS.items()]
    lines += ["", "Each has --help. A first run: python -m sr_deepfake.train experiment=demo"]
    print("\n".join(lines), file=sys.stdout if known else sys.stderr)
    raise SystemExit(0 if known else 2)


if __name__ == "__main__":
    main()

"""MkDocs hook: fills the configuration page from conf/, and takes two pages of the repository in."""

import re
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"
PROGRAMS = ("train", "evaluate", "prepare", "attack", "report", "status", "playground")
SHARED = ("common", "base")  # options of several programs
TAKEN_IN = {
    "contributing.md": ROOT / "CONTRIBUTING.md",
    "edsr_weights.md": ROOT / "sr_deepfake" / "super_resolution" / "weights" / "README.md",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are in other folders of the repository; their links to docs/ become links of the site."""
    for name, path in TAKEN_IN.items():
        text = path.read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in `<!-- groups -->` and `<!-- programs -->`; link to the pages that were taken in."""
    for name, path in TAKEN_IN.items():
        markdown = markdown.replace(f"](../{path.relative_to(ROOT).as_posix()}", f"]({name}")
    for marker, render in (("<!-- groups -->", groups), ("<!-- programs -->", programs)):
        markdown = markdown.replace(marker, render()) if marker in markdown else markdown
    return markdown


def groups() -> str:
    """Each group of conf/ as a table of its choices, and each choice's file."""
    parts = []
    for folder in sorted({file.parent for file in CONF.rglob("*/*.yaml")} - {CONF / "_base"}):
        group = folder.relative_to(CONF).as_posix()
        choices = {file.stem: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.yaml"))}
        rows = [f"| `{name}` | {comment(text)} |" for name, text in choices.items()]
        parts += [f"### `{group}`\n", "| choice | |\n|---|---|", *rows, ""]
        parts += [f'??? note "conf/{group}/{name}.yaml"\n\n{fenced(text)}' for name, text in choices.items()]
    return "\n".join(parts)


def comment(text: str) -> str:
    """The comment at the top of a file."""
    lines = text.removeprefix("# @package _global_\n").splitlines()
    top = [line.lstrip("#")[1:] for line in takewhile(lambda line: line.startswith("#"), lines)]
    # Lines that are indented are what one types.
    words = [f"`{line.strip()}`" if line[:1] == " " else re.sub("([*<])", r"\\\1", line) for line in top]
    return " ".join(words).replace("|", "\\|")


def programs() -> str:
    """Each program's usage and its own options, and the options that several share."""
    parts = []
    for name in (*PROGRAMS, *SHARED):
        text = (CONF / f"{name}.yaml").read_text(encoding="utf-8")
        parts.append(f"### `{name}`\n" if name in PROGRAMS else f"### Shared options: `conf/{name}.yaml`\n")
        if name in PROGRAMS:
            header = str(yaml.safe_load(text)["hydra"]["help"]["header"])
            usage = header.replace(r"$\${", "${").replace("$$", "$").rstrip()
            parts.append(f"```text\n{usage}\n```\n")
        own = re.sub(r"^(defaults|hydra):.*\n(?:[ \t].*\n|\n)*", "", text, flags=re.MULTILINE)
        own = re.sub(r"\A(#.*\n)+", "", own).strip()
        if own:
            parts.append(f"```yaml\n{own}\n```\n")
    return "\n".join(parts)


def fenced(text: str) -> str:
    """A file inside a block that opens on demand."""
    lines = ["```yaml", *text.rstrip().splitlines(), "```"]
    return "\n".join(f"    {line}" if line else "" for line in lines) + "\n"

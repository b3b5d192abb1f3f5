"""Print the requirement, with its pin, that pyproject.toml has for a package: `pinned.py maturin`."""

import re
import sys
import tomllib
from pathlib import Path


def pinned(package: str) -> str:
    """The requirement line whose name is `package`, from the dependencies or an extra."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in (line for lines in lists for line in lines):
        if re.split(r"[=<>~!\[ ]", requirement)[0] == package:
            return str(requirement)
    raise SystemExit(f"pyproject.toml does not name {package}")


if __name__ == "__main__":
    print(pinned(sys.argv[1]))

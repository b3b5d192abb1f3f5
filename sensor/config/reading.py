"""YAML as suricata.yaml uses it, read into plain dict, list, str and None. It must not know what any key
means.

Every scalar stays text: YAML 1.1 would turn `yes`, `0777`, `1:30` into values of its own, while Suricata
reads text and lets each key decide. Includes are followed (`include: file`, `include: [a, b]`, `!include
file`), underscores in keys become hyphens as in Suricata, and the place of every key is kept for messages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from sensor.errors import UserError, from_os_error

Tree = dict[str, "Value"]
Value = str | None | list["Value"] | Tree
KeyPath = tuple[str, ...]

MAX_NODES = 200_000  # a stock suricata.yaml has 1,500; aliases multiplied by aliases would fill the memory
MAX_DEPTH = 64  # a stock suricata.yaml is 9 deep
MAX_INCLUDES = 100  # as many as anyone splits a configuration into; also ends a file that includes itself
MAX_FILE_BYTES = 16 << 20  # a stock suricata.yaml has 90 kB

_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_MERGE_TAG = "tag:yaml.org,2002:merge"


@dataclass
class Document:
    """A configuration as written: the tree, and for each key path the file and line it came from."""

    tree: Tree = field(default_factory=dict)
    places: dict[KeyPath, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read(path: Path) -> Document:
    """Read one configuration file with everything it includes. Raises UserError with file and line."""
    document = Document()
    reader = _Reader(document, path.parent)
    tree = reader.file(path, ())
    if not isinstance(tree, dict):
        raise UserError(
            "this is not a configuration: its top level has no `key: value` lines",
            where=path,
            fix="give a suricata.yaml, or leave out -c",
        )
    document.tree = tree
    return document


class _Reader:
    def __init__(self, document: Document, folder: Path) -> None:
        self.document = document
        self.folder = folder  # Suricata looks for includes beside the main file
        self.nodes = 0
        self.includes = 0

    def file(self, path: Path, at: KeyPath) -> Value:
        try:
            size = path.stat().st_size
            if size > MAX_FILE_BYTES:
                raise UserError(f"{size} bytes are too many for a configuration", where=path)
            text = path.read_bytes().decode("utf-8-sig")
            _refuse_depth(text, path)
            node = yaml.compose(text, Loader=_Loader)
        except OSError as error:
            raise from_os_error(error, where=path) from None
        except UnicodeDecodeError as error:
            raise UserError(
                "this is not a text file in UTF-8", where=path, fix=f"see byte {error.start}"
            ) from None
        except (yaml.YAMLError, ValueError) as error:
            raise _explain(error, path) from None
        return None if node is None else self.value(node, at, path, 0)

    def value(self, node: yaml.Node, at: KeyPath, path: Path, depth: int) -> Value:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            limit = (
                f"more than {MAX_NODES} values"
                if self.nodes > MAX_NODES
                else f"deeper than {MAX_DEPTH} levels"
            )
            raise UserError(f"{limit}; this is no configuration", where=_place(path, node))
        self.document.places[at] = _place(path, node)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, at, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*at, str(i)), path, depth + 1) for i, item in enumerate(node.value)]
        if node.tag == "!include":
            return self.include(node.value, at, _place(path, node))
        if not getattr(node, "style", None) and node.value in ("", "~", "null", "Null", "NULL"):
            return None
        return str(node.value)

    def mapping(self, node: yaml.MappingNode, at: KeyPath, path: Path, depth: int) -> Tree:
        tree: Tree = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise UserError("a key must be plain text", where=_place(path, key_node))
            key = str(key_node.value)
            if key == "include":
                self.merge_includes(value_node, at, path, tree)
                continue
            if key == "<<" and not getattr(key_node, "style", None):
                merged = self.value(value_node, at, path, depth + 1)
                for part in merged if isinstance(merged, list) else [merged]:
                    if isinstance(part, dict):
                        tree.update({name: value for name, value in part.items() if name not in tree})
                continue
            if "_" in key and not (at and at[0] in ("vars", "datasets")):
                key = key.replace("_", "-")
            if key in tree:
                self.document.warnings.append(
                    f"{_place(path, key_node)}: {'.'.join((*at, key))} is given twice; the last one counts"
                )
            tree[key] = self.value(value_node, (*at, key), path, depth + 1)
            self.document.places[(*at, key)] = _place(path, key_node)
        return tree

    def merge_includes(self, node: yaml.Node, at: KeyPath, path: Path, tree: Tree) -> None:
        names = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for name in names:
            if not isinstance(name, yaml.ScalarNode):
                raise UserError("include wants a file name or a list of them", where=_place(path, node))
            if not name.value:
                continue
            included = self.include(str(name.value), at, _place(path, name))
            if isinstance(included, dict):
                tree.update(included)

    def include(self, name: str, at: KeyPath, place: str) -> Value:
        self.includes += 1
        if self.includes > MAX_INCLUDES:
            raise UserError(f"more than {MAX_INCLUDES} includes; does a file include itself?", where=place)
        try:
            return self.file(self.folder / name, at)
        except UserError as error:
            if error.where == str(self.folder / name):  # the file itself cannot be read: say who asked for it
                raise UserError(
                    f"cannot include {error.where}: {error.what}", where=place, fix=error.fix
                ) from None
            raise


def _place(path: Path, node: yaml.Node) -> str:
    return f"{path}:{_line(node.start_mark)}"


def _refuse_depth(text: str, path: Path) -> None:
    """Count depth before composing: the C library's composer recurses without a limit of its own."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            if depth > MAX_DEPTH:
                place = f"{path}:{_line(event.start_mark)}"
                raise UserError(f"deeper than {MAX_DEPTH} levels; this is no configuration", where=place)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1


def _line(mark: object) -> int:
    """The 1-based line of one of the YAML library's marks."""
    return int(getattr(mark, "line", 0)) + 1


def _explain(error: Exception, path: Path) -> UserError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark is not None else str(path)
    return UserError(
        f"not valid YAML: {problem}", where=where, fix="check indentation, quotes and brackets there"
    )

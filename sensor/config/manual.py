"""docs/configuration.md, made from the table of keys: `python -m sensor.config.manual` prints it; a test
holds the file to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from sensor.config import Config, load
from sensor.config.schema import KEYS, Key
from sensor.config.values import Json

_INTRODUCTION = """\
# Configuration

Hải Đăng reads YAML in the shape of Suricata's `suricata.yaml`, with the same key names wherever the same
thing exists: a `suricata.yaml` can be given as it is (`haidang replay -c suricata.yaml`). This page is made
from the table in `sensor/config/schema.py`.

- What a file does not say holds as in `sensor/defaults.yaml`. Sections are laid over the defaults key by
  key; lists (`outputs`, `rule-files`, ...) replace theirs as a whole.
- `--set a.b.c=value` comes last; a number names an entry of a list: `--set outputs.1.eve-log.enabled=no`.
- Unknown keys are listed in one line (each of them with `-v`) and ignored. A value that cannot be used is
  an error that names file, line, key and remedy.
- `include: other.yaml`, `include: [a.yaml, b.yaml]` and `key: !include other.yaml` read other files, found
  beside the first.
- Sizes are written `4096`, `64kb`, `64 MiB`, `1.5gb`; units are powers of 1024; `0` and `unlimited` mean no
  limit where the key allows it. Truth is `yes`/`no`, `true`/`false`, `on`/`off`, `1`/`0`.

In a path, `*` stands for any name, `[]` for each entry of a list, `**` for everything below.

## What the engine is given

One JSON document in the shape of this configuration: sizes in bytes, `yes | no` as booleans, other choices
as text, `$VARIABLES` in port keys replaced. Beside the sections below it holds:

| key | what it is |
|---|---|
| `checksum-mode` | `auto`, `all` or `none`, from `-k` or `pcap-file.checksum-checks` |
| `eve` | the options of the first enabled `eve-log` |
| `eve-types` | event type → its options, over every enabled `eve-log` |
| `classification` | `[{name, description, priority}]` from `classification-file` |
| `references` | `{name: URL prefix}` from `reference-config-file` |
| `threshold-config` | `[[line, text]]` from `threshold-file` |

`rule-files`, `threshold-file`, `af-packet` and `haidang` are left out. Live capture adds `live`: what each
interface is captured with.
"""


def pages() -> Iterator[str]:
    """The lines of the page."""
    defaults = load()
    yield from _INTRODUCTION.splitlines()
    sections: dict[str, list[Key]] = {}
    for key in KEYS:
        if key.reader != "none":
            sections.setdefault(_section(key.path), []).append(key)
    for section, keys in sections.items():
        yield from ("", f"## {section}", "", "| key | value | default | what it does |", "|---|---|---|---|")
        for key in keys:
            yield f"| `{key.path}` | {key.kind.name} | {_default(defaults, key.path)} | {key.doc} |"
    yield from ("", "## Accepted, without effect", "")
    yield "Keys of Suricata's that mean nothing here. `-v` tells when a configuration has one."
    yield from ("", "| key | why |", "|---|---|")
    for key in KEYS:
        if key.reader == "none":
            yield f"| `{key.path}` | {key.doc} |"


def _section(path: str) -> str:
    top = path.split(".")
    if top[0] == "outputs":
        return f"outputs: {top[2]}"
    if top[0] == "app-layer":
        return "app-layer"
    several = {
        "vars",
        "stats",
        "stream",
        "defrag",
        "flow",
        "flow-timeouts",
        "host-os-policy",
        "decoder",
        "detect",
    }
    return top[0] if top[0] in several else "General"


def _default(defaults: Config, path: str) -> str:
    value = defaults.get(path) if not {"*", "[]", "**"} & set(path.split(".")) else None
    return "" if value is None or value == "" else f"`{_shown(value)}`"


def _shown(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and value >= 1 << 20 and value % (1 << 20) == 0:
        return f"{value >> 20} MiB"
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return str(value)


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in pages())

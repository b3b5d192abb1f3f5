"""What editors are given can be read, and starts a command that there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

from sensor.cli.rules import ACTIONS

EDITORS = Path(__file__).parents[2] / "deploy" / "editors"


def test_the_extension_of_vscode_hangs_together() -> None:
    folder = EDITORS / "vscode"
    package = json.loads((folder / "package.json").read_text())
    json.loads((folder / "language.json").read_text())
    assert (folder / package["main"]).is_file()
    (language,) = package["contributes"]["languages"]
    assert (folder / language["configuration"]).is_file()
    script = (folder / package["main"]).read_text()
    asked = re.findall(r'settings\.get\("(\w+)"\)', script)
    assert {f"haidang.{name}" for name in asked} == set(package["contributes"]["configuration"]["properties"])
    assert f'language: "{language["id"]}"' in script


def test_editors_start_an_action_that_there_is() -> None:
    for path, form in (("vscode/extension.js", r'"rules", "(\w+)"'), ("haidang.lua", r'"rules", "(\w+)"')):
        (action,) = re.findall(form, (EDITORS / path).read_text())
        assert action in ACTIONS

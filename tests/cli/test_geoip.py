"""`geoip` looks countries up in the file that the user names."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from mmdb import database

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

Run = Callable[..., subprocess.CompletedProcess[str]]

PCAPS = Path(__file__).parents[2] / "pcaps"
WORLD = {"10.0.0.0/8": "VN", "198.51.100.0/24": "KP", "2001:db8:20::/48": "VN", "203.0.113.0/24": None}
RULE = "alert ip any any -> any any (flow:to_server; geoip:{}; sid:{};)\n"

# What 198.51.100.23 -> 10.20.0.80, KP -> VN, holds true. Suricata 7.0.10 gives the same for all but the last
# three, where it takes the text as it stands.
FORMS = {
    "src,KP": True,
    "dst,KP": False,
    "dst,LA,VN": True,
    "any,KP": True,
    "KP": True,
    "any,LA": False,
    "both,KP,VN": True,
    "both,VN": False,
    "both,!LA": True,
    "src,!KP": False,
    "src,!LA,KP": False,
    "!LA,TH": True,
    "dest,VN": True,
    "src, kp": True,
    "src,! LA , TH": True,
}


def alerts(haidang: Run, folder: Path, capture: str, forms: list[str], *more: str) -> set[str]:
    rules = "".join(RULE.format(form, sid) for sid, form in enumerate(forms, 1))
    (folder / "a.rules").write_text(rules)
    (folder / "out" / "eve.json").unlink(missing_ok=True)
    done = haidang(
        "replay", PCAPS / capture, "-S", folder / "a.rules", "-l", folder / "out", "-k", "none", *more
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in (folder / "out" / "eve.json").read_text().splitlines()]
    return {forms[e["alert"]["signature_id"] - 1] for e in events if e["event_type"] == "alert"}


def test_every_form(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "world.mmdb").write_bytes(database(WORLD))
    found = alerts(haidang, tmp_path, "http-get.pcap", list(FORMS), "--set", "geoip-database=world.mmdb")
    assert found == {form for form, holds in FORMS.items() if holds}


def test_no_country_is_no_match_and_ipv6_is_looked_up(haidang: Run, tmp_path: Path) -> None:
    """2001:db8:99::23, in no list, -> 2001:db8:20::80."""
    (tmp_path / "world.mmdb").write_bytes(database(WORLD))
    forms = ["dst,VN", "src,!VN", "both,!KP", "any,VN"]
    world = ("--set", "geoip-database=world.mmdb")
    assert alerts(haidang, tmp_path, "link-ipv6.pcap", forms, *world) == {"dst,VN", "any,VN"}
    # A file of IPv4 alone knows no country of these.
    four = {network: country for network, country in WORLD.items() if "." in network}
    (tmp_path / "world.mmdb").write_bytes(database(four, version=4))
    assert alerts(haidang, tmp_path, "link-ipv6.pcap", forms, *world) == set()
    assert alerts(haidang, tmp_path, "http-get.pcap", ["src,KP"], *world) == {"src,KP"}


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_a_file_that_cannot_be_read_costs_its_own_rules_only(
    haidang: Run, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "world.mmdb").write_bytes(content)
    (tmp_path / "a.rules").write_text(RULE.format("src,KP", 1) + "alert ip any any -> any any (sid:2;)\n")
    where = ("-l", tmp_path / "out", "-k", "none", "--set", "geoip-database=world.mmdb")
    done = haidang("replay", PCAPS / "http-get.pcap", "-S", tmp_path / "a.rules", *where)
    assert done.returncode == 0, done.stderr
    assert "geoip-database cannot be read: world.mmdb" in done.stdout + done.stderr
    assert '"signature_id":2' in (tmp_path / "out" / "eve.json").read_text()


def test_without_a_file_the_rule_is_skipped_by_name_of_the_key(haidang: Run, tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text(RULE.format("src,KP", 1))
    done = haidang("rules", "check", tmp_path / "a.rules")
    assert "geoip-database" in done.stdout + done.stderr

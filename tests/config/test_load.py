"""Defaults, files, --set: what a configuration means."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.config import Config, load
from sensor.config.values import size_bytes
from sensor.errors import UserError


def load_text(folder: Path, text: str, *sets: str) -> Config:
    path = folder / "suricata.yaml"
    path.write_text(text)
    return load(path, sets)


def test_the_defaults_know_every_key_and_warn_of_nothing() -> None:
    config = load()
    assert (config.unknown, config.without_effect, config.warnings) == ([], [], [])
    assert config.get("stream.reassembly.depth") == 1 << 20
    assert config.get("stream.midstream") is False
    assert config.get("decoder.vxlan.ports") == "4789"
    assert config.get("app-layer.protocols.imap.enabled") == "detection-only"


def test_the_engine_document_keeps_suricatas_shape() -> None:
    document = json.loads(load().engine_json())
    assert document["stream"]["memcap"] == 64 << 20
    assert document["flow-timeouts"]["tcp"]["established"] == 600
    assert document["host-os-policy"]["windows"] == ["0.0.0.0/0"]
    assert document["checksum-mode"] == "auto"
    assert document["eve-types"]["http"] == {"extended": True}
    assert document["eve-types"]["anomaly"] == {"types": {"decode": False, "stream": False, "applayer": True}}
    assert "pgsql" not in document["eve-types"]
    assert document["eve"]["community-id"] is False


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("%YAML 1.1\n---\nstream:\n  midstream: on\n", "stream.midstream", True),
        ("stream: {midstream: 'no'}", "stream.midstream", False),
        ("stream:\n  midstream:\n", "stream.midstream", False),  # an empty value changes nothing
        (
            "stream: {async_oneside: true}",
            "stream.async-oneside",
            True,
        ),  # underscores, as Suricata takes them
        ("defrag: {memcap: 1.5 GiB}", "defrag.memcap", 3 << 29),
        ("stream: {reassembly: {depth: unlimited}}", "stream.reassembly.depth", 0),
        ("vars: {port-groups: {SSH_PORTS: [22, 2222]}}", "vars.port-groups.SSH_PORTS", "[22,2222]"),
        (
            "host-os-policy: {linux: '10.0.0.0/8, 192.168.1.1'}",
            "host-os-policy.linux",
            ["10.0.0.0/8", "192.168.1.1"],
        ),
        ("decoder: {vxlan: {ports: '[$VXLAN_PORTS, 8472]'}}", "decoder.vxlan.ports", "[4789,8472]"),
        ("a: &x {midstream: yes}\nstream: *x\n", "stream.midstream", True),
        ("a: &x {midstream: yes}\nstream:\n  <<: *x\n", "stream.midstream", True),
    ],
)
def test_values(tmp_path: Path, text: str, path: str, value: object) -> None:
    assert load_text(tmp_path, text).get(path) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stream:\n  memcap: abc\n", '{path}:2: stream.memcap: "abc" is not a size (write e.g. 64mb)'),
        (
            "stream: [1, 2]\n",
            "{path}:1: stream: a list is not possible here (write its keys below it, without '-')",
        ),
        ("stream: yes\n", '{path}:1: stream: "yes" is not a section (write its keys below it, indented)'),
        (
            "vlan:\n  use-for-tracking: perhaps\n",
            '{path}:2: vlan.use-for-tracking: "perhaps" is neither yes nor no',
        ),
        (
            "pcre: {match-limit: -1}\n",
            "{path}:1: pcre.match-limit: -1 is out of range (write a number from 0",
        ),
        ("outputs:\n  - eve-log:\n      filetype: redis\n", "{path}:3: outputs.0.eve-log.filetype: "),
        ("- a\n- b\n", "{path}: this is not a configuration"),
        ("a: [\n", "{path}:2:1: not valid YAML"),
        ("a: \x01\n", "{path}: not valid YAML"),
        ("? [a]\n: b\n", "{path}:1: a key must be plain text"),
        ("include: absent.yaml\n", "{path}:1: cannot include "),
        ("include: suricata.yaml\n", "more than 100 includes"),
        ("a: &a [*a]\n", "deeper than"),
        ("decoder: {vxlan: {ports: $NO_SUCH}}", "decoder.vxlan.ports: undefined port variable $NO_SUCH"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load_text(tmp_path, text)
    assert message.format(path=tmp_path / "suricata.yaml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bombs_of_aliases_and_brackets_end_quickly(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    before = time.monotonic()
    for text in ("\n".join(lines), "[" * 100_000, "a: " + "{b: " * 500 + "}" * 500, "- " * 50_000):
        with pytest.raises(UserError):
            load_text(tmp_path, text)
    assert time.monotonic() - before < 10


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    for name in ("absent.yaml", "."):
        with pytest.raises(UserError):
            load(tmp_path / name)
    (tmp_path / "random").write_bytes(bytes(range(256)))
    with pytest.raises(UserError):
        load(tmp_path / "random")


def test_includes_are_laid_in_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "stream.yaml").write_text("midstream: yes\nmemcap: 1mb\n")
    (tmp_path / "more.yaml").write_text("vlan:\n  use-for-tracking: no\n")
    config = load_text(tmp_path, "include:\n  - more.yaml\nstream: !include stream.yaml\n")
    assert config.get("stream.midstream") is True
    assert config.get("vlan.use-for-tracking") is False
    with pytest.raises(UserError, match=r"stream\.yaml:1: stream\.memcap"):
        (tmp_path / "stream.yaml").write_text("memcap: much\n")
        load(tmp_path / "suricata.yaml")


def test_unknown_keys_are_listed_and_nothing_else_happens(tmp_path: Path) -> None:
    config = load_text(
        tmp_path, "strem: {memcap: 1}\nstream: {memcapp: 1mb}\nnfq:\n  mode: accept\n", "x.y.z=1"
    )
    assert sorted(config.unknown) == ["stream.memcapp", "strem", "x"]
    assert [path for path, _ in config.without_effect] == ["nfq"]


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("stream.midstream=true", "stream.midstream", True),
        (" stream.memcap = 1kb ", "stream.memcap", 1024),
        ("outputs.0.fast.enabled=no", "outputs.0.fast.enabled", False),
        ("outputs.1.eve-log.types.0.alert.payload=yes", "outputs.1.eve-log.types.0.alert.payload", True),
        ("outputs.2.fast.filename=b.log", "outputs.2.fast.filename", "b.log"),  # a new entry
        ("app-layer.protocols.tls.ja3-fingerprints=yes", "app-layer.protocols.tls.ja3-fingerprints", "yes"),
        ("vars.address-groups.HOME_NET=any", "vars.address-groups.HOME_NET", "any"),
        ("app-layer.protocols.http.libhtp.default-config.request-body-limit=0",
         "app-layer.protocols.http.libhtp.default-config.request-body-limit", 0),
        ("app-layer.protocols.modbus.enabled=yes", "app-layer.protocols.modbus.enabled", "yes"),
    ],
)  # fmt: skip
def test_set(setting: str, path: str, value: object) -> None:
    assert load(None, [setting]).get(path) == value


def test_set_below_a_bare_list_entry(tmp_path: Path) -> None:
    text = "outputs:\n  - eve-log:\n      types:\n        - flow\n        - alert\n"
    config = load_text(tmp_path, text, "outputs.0.eve-log.types.1.alert.packet=on")
    assert config.eve_types()["alert"]["packet"] is True
    assert list(config.eve_types()) == ["flow", "alert"]


@pytest.mark.parametrize("setting", ["outputs.eve-log.enabled=yes", "outputs.9.fast.enabled=yes"])
def test_set_that_misses_a_list_is_a_warning(setting: str) -> None:
    assert len(load(None, [setting]).warnings) == 1


@pytest.mark.parametrize("setting", ["", "=", "a..b=1", "stream.midstream", "stream.memcap=much"])
def test_set_that_cannot_be_meant_is_an_error(setting: str) -> None:
    with pytest.raises(UserError, match=r"^--set "):
        load(None, [setting])


def test_checksum_modes() -> None:
    assert load().checksum_mode == "auto"
    assert load(None, ["pcap-file.checksum-checks=no"]).checksum_mode == "none"
    forced = load(checksums="none")
    assert (forced.checksum_mode, forced.get("stream.checksum-validation")) == ("none", False)


def test_two_eve_logs_are_joined(tmp_path: Path) -> None:
    text = """
outputs:
  - eve-log: {filename: a.json, types: [{alert: {payload: yes}}, {dns: {enabled: no}}]}
  - eve-log: {filename: b.json, types: [flow, alert]}
  - eve-log: {enabled: no, types: [http]}
"""
    types = load_text(tmp_path, text).eve_types()
    assert list(types) == ["alert", "flow"]
    assert types["alert"]["payload"] is True


def test_what_is_switched_off_may_hold_anything(tmp_path: Path) -> None:
    text = (
        "outputs:\n  - eve-log: {enabled: no, filetype: redis}\n"
        "  - eve-log: {types: [{stats: {enabled: no, totals: x}}]}\n"
    )
    assert load_text(tmp_path, text).eve_types() == {}


def test_side_files(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("# x\nconfig classification: Bad-Thing,It is bad,2\nnonsense\n")
    (tmp_path / "r").write_text("config reference: cve http://cve/\r\n")
    (tmp_path / "t").write_text("\nsuppress gen_id 1, \\\n  sig_id 2\n")
    config = load_text(
        tmp_path,
        f"classification-file: {tmp_path}/c\n"
        f"reference-config-file: {tmp_path}/r\n"
        f"threshold-file: {tmp_path}/t\n",
    )
    document = config.engine_document()
    assert document["classification"] == [{"name": "bad-thing", "description": "It is bad", "priority": 2}]
    assert document["references"] == {"cve": "http://cve/"}
    assert document["threshold-config"] == [[2, "suppress gen_id 1, sig_id 2"]]
    assert [warning for warning in config.warnings if ":3:" in warning]


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300))
def test_any_bytes_give_a_config_or_a_one_line_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "x.yaml"
    path.write_bytes(data)
    try:
        load(path)
    except UserError as error:
        assert "\n" not in str(error)


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    try:
        assert size_bytes(text) >= 0
    except ValueError as error:
        assert "; write" in str(error)

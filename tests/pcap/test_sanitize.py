"""Sanitized captures: nothing of the original in any byte, the same alerts, checksums as they were, the same
form; and any bytes are survived.
"""

from __future__ import annotations

import base64
import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

engine = pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

from dissection import dissect  # noqa: E402
from scapy.layers.dns import DNS, DNSQR, DNSRR  # noqa: E402
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402
from scapy.packet import Packet, Raw  # noqa: E402
from scapy.utils import rdpcap, wrpcap  # noqa: E402
from searching import left_in  # noqa: E402
from witness import left_in as left_by_tshark  # noqa: E402
from witness import names_of  # noqa: E402

from sensor.cli import main  # noqa: E402
from sensor.config import load as load_config  # noqa: E402
from sensor.desk.replaying import events, everything  # noqa: E402
from sensor.pcap import proof  # noqa: E402
from sensor.pcap.files import CaptureFile  # noqa: E402
from sensor.pcap.known import Known, known_from  # noqa: E402
from sensor.pcap.pseudonyms import Pseudonyms  # noqa: E402
from sensor.pcap.sanitize import sanitize  # noqa: E402
from sensor.pcap.scrub import Scrubber  # noqa: E402
from sensor.rules.loading import load as load_rules  # noqa: E402

ROOT = Path(__file__).parents[2]
KEY = bytes(range(32))
CAPTURES = sorted((ROOT / "pcaps").glob("*.pcap*"))
# Rules of the shipped set that look for names (c2-lab.test, Beacon Lab ...), for fingerprints of certificates
# with names, for a tautology in the value of a password, a bot's password.
NEED_WHAT_GOES = {
    9000102, 9000119, 9000301, 9000302, 9000303, 9000313, 9000314, 9000406, 9000501, 9000505, 9000509,
    9000513, 9000904, 9000905,
}  # fmt: skip
NEED_ONE_ADDRESS = {9003101}  # FTP bounce: an address in text has room for its own digits only
CORPORA = os.environ.get("CORPORA_DIR")
SOME_OF_CORPORA = 40  # of two thousand: all of them take minutes; tests/bench/sanitized.py takes them all


def sanitized(source: Path, target: Path, pseudonyms: Pseudonyms) -> None:
    config, no_rules = everything()
    sanitize(source, target, known_from(events(config, no_rules, [str(source)])), pseudonyms)


@pytest.fixture(scope="module")
def shipped() -> Iterator[tuple[object, object]]:
    config = load_config(checksums="none")
    yield config, load_rules(config)[0]


@pytest.mark.parametrize("source", CAPTURES, ids=lambda path: path.stem)
def test_shipped_captures(source: Path, tmp_path: Path, shipped: tuple[object, object]) -> None:
    config, ruleset = shipped
    pseudonyms = Pseudonyms(KEY, proof.home_ranges(config))  # type: ignore[arg-type]
    target = tmp_path / "out"
    sanitized(source, target, pseudonyms)
    assert target.stat().st_size == source.stat().st_size
    assert left_in(source, target, pseudonyms) == []
    before = proof.alerts(config, ruleset, [str(source)], {}, pseudonyms)  # type: ignore[arg-type]
    after = proof.alerts(config, ruleset, [str(target)], {})  # type: ignore[arg-type]
    assert {alert.signature_id for alert in before - after} <= NEED_WHAT_GOES
    assert {alert.signature_id for alert in after - before} <= NEED_ONE_ADDRESS


needs_tshark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")


def seen_by_tshark(source: Path, target: Path, pseudonyms: Pseudonyms) -> list[str]:
    then, now = dissect(source), dissect(target)
    return left_by_tshark(names_of(then), source, target, then, now, pseudonyms.address)


@needs_tshark
@pytest.mark.parametrize("source", CAPTURES, ids=lambda path: path.stem)
def test_tshark_sees_nothing_of_shipped_captures(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    sanitized(source, target, Pseudonyms(KEY))
    assert seen_by_tshark(source, target, Pseudonyms(KEY)) == []


@needs_tshark
def test_tshark_sees_what_is_left(tmp_path: Path) -> None:
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    wrpcap(str(source), tcp_stream(SECRET_REQUEST, []))
    sanitized(source, target, Pseudonyms(KEY))
    assert seen_by_tshark(source, target, Pseudonyms(KEY)) == []
    data = target.read_bytes()
    for word in (b"secrets.bigbank.vn", base64.b64encode(b"hunter22x"), "ngocanh".encode("utf-16-le")):
        at = data.index(b"GET /x") + 40
        target.write_bytes(data[:at] + word + data[at + len(word) :])
        assert seen_by_tshark(source, target, Pseudonyms(KEY)), word
    original = source.read_bytes()
    for word in (bytes([203, 0, 113, 77]), bytes.fromhex("001122334455")):
        at = original.index(word)
        target.write_bytes(data[:at] + word + data[at + len(word) :])
        assert seen_by_tshark(source, target, Pseudonyms(KEY)), word


@needs_tshark
@pytest.mark.skipif(not CORPORA, reason="CORPORA_DIR is not set")
def test_some_shared_captures(tmp_path: Path) -> None:
    from sensor.cli.inputs import find_captures

    found = find_captures([str(Path(str(CORPORA)) / "pcaps" / "captures")]).paths
    pseudonyms = Pseudonyms(KEY)
    for number, name in enumerate(found[:: max(1, len(found) // SOME_OF_CORPORA)]):
        target = tmp_path / str(number)
        sanitized(Path(name), target, pseudonyms)
        assert seen_by_tshark(Path(name), target, pseudonyms) == [], name


def tcp_stream(payload: bytes, sizes: list[int], port: int = 80) -> list[Packet]:
    packets, at = [], 0
    for size in [*sizes, len(payload)]:
        piece = payload[at : at + size]
        if piece:
            packets.append(
                Ether(src="00:11:22:33:44:55", dst="00:66:77:88:99:aa")
                / IP(src="203.0.113.77", dst="10.9.8.7")
                / TCP(sport=40000, dport=port, seq=1000 + at, flags="PA")
                / Raw(piece)
            )
        at += size
    return packets


SECRET_REQUEST = (
    b"GET /x?user=ngocanh&password=hunter22x HTTP/1.1\r\nHost: secrets.bigbank.vn\r\n"
    b"Cookie: SESSION=c0ffee0badf00d; lang=vi\r\nAuthorization: Basic "
    + base64.b64encode(b"ngocanh:Tr0ub4dor&3")
    + b"\r\nX-Forwarded-For: 203.0.113.99\r\nReferer: http://intra.bigbank.vn/\r\n\r\n"
)
SECRETS = [
    b"ngocanh", b"hunter22x", b"bigbank", b"c0ffee0badf00d", b"Tr0ub4dor", b"203.0.113.99",
    base64.b64encode(b"ngocanh:Tr0ub4dor&3"),
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_names_split_over_segments(tmp_path: Path, size: int) -> None:
    sizes = [size] * (len(SECRET_REQUEST) // size)
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    wrpcap(str(source), tcp_stream(SECRET_REQUEST, sizes))
    sanitized(source, target, Pseudonyms(KEY))
    stream = b"".join(bytes(packet[TCP].payload) for packet in rdpcap(str(target)))
    assert len(stream) == len(SECRET_REQUEST)
    assert [secret for secret in SECRETS if secret.lower() in stream.lower()] == []
    for kept in (b"GET /x?user=", b"&password=", b"Host: ", b"SESSION=", b"; lang=", b".vn", b"Basic "):
        assert kept in stream
    user, _, password = base64.b64decode(stream.split(b"Basic ")[1].split(b"\r\n")[0]).partition(b":")
    assert (len(user), len(password)) == (7, 11)
    assert user in stream.split(b"\r\n")[0]  # one pseudonym wherever the name stands


def checksums(packets: list[Packet]) -> list[bool]:
    right = []
    for packet in packets:
        again = Ether(bytes(packet))
        for layer in (IP, TCP, UDP, ICMP):
            if layer in again:
                del again[layer].chksum
        right.append(bytes(Ether(bytes(again))) == bytes(packet))
    return right


def test_checksums_stay_right_or_wrong(tmp_path: Path) -> None:
    dns = DNS(qr=1, qd=DNSQR(qname="mail.bigbank.vn"), an=DNSRR(rrname="mail.bigbank.vn", rdata="10.1.2.3"))
    base = Ether(src="00:11:22:33:44:55", dst="00:66:77:88:99:aa") / IP(src="192.168.7.9", dst="203.0.113.5")
    quoted = IP(src="203.0.113.5", dst="192.168.7.9") / UDP(sport=53, dport=5000) / dns
    packets = [
        *tcp_stream(SECRET_REQUEST, [50, 50]),
        base / UDP(sport=53, dport=5000) / dns,
        base / ICMP(type=3, code=3) / quoted,
        base / TCP(sport=1, dport=2, chksum=0x1234) / Raw(b"user=ngocanh"),
        *fragment(base / UDP(sport=53, dport=5001) / dns, fragsize=24),
    ]
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    wrpcap(str(source), packets)
    sanitized(source, target, Pseudonyms(KEY))
    before, after = rdpcap(str(source)), rdpcap(str(target))
    assert [bytes(packet) for packet in before] != [bytes(packet) for packet in after]
    assert checksums(list(after)) == checksums(list(before))
    first = next(packet for packet in after if packet[IP].flags.MF and packet[IP].frag == 0)
    body = b"".join(bytes(p[IP].payload) for p in after if p[IP].flags.MF or p[IP].frag)
    whole = IP(src=first[IP].src, dst=first[IP].dst) / UDP(body)
    told = whole[UDP].chksum
    del whole[UDP].chksum
    assert IP(bytes(whole))[UDP].chksum == told
    assert b"bigbank" not in target.read_bytes()
    answer = after[3][DNS]
    assert answer.an[0].rdata.startswith("10.")  # RFC 1918 stays within its block
    assert answer.an[0].rdata != "10.1.2.3"


def test_pcapng_blocks_that_are_no_packets(tmp_path: Path) -> None:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    def option(code: int, value: bytes) -> bytes:
        return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)

    frame = bytes(tcp_stream(b"hello there", [])[0])
    data = b"".join(
        (
            block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + option(3, b"ngocanh") + bytes(4)),
            block(1, struct.pack("<HHI", 1, 0, 0) + option(2, b"ngocanh") + option(9, b"\x09") + bytes(4)),
            block(10, struct.pack("<II", 0x544C534B, 20) + b"CLIENT_RANDOM secret"),
            block(4, struct.pack("<HH", 1, 18) + b"\x0a\x00\x00\x01ngocanh-pc.lan\0" + bytes(4)),
            block(
                6,
                struct.pack("<IIIII", 0, 0, 77, len(frame), len(frame))
                + frame + bytes(-len(frame) % 4) + option(1, b"ngocanh did it") + bytes(4),
            ),
            block(0x0BAD, struct.pack("<I", 1) + b"ngocanh"),
        )
    )  # fmt: skip
    source, target = tmp_path / "in.pcapng", tmp_path / "out.pcapng"
    source.write_bytes(data + b"\x06\0\0\0cut ngocanh")
    outcome = sanitize(source, target, Known(), Pseudonyms(KEY))
    made = target.read_bytes()
    assert len(made) == len(data)
    assert outcome.problems
    for word in (b"ngocanh", b"CLIENT_RANDOM", b"secret"):
        assert word not in made
    with CaptureFile(str(target)) as capture:
        (packet,) = list(capture)
    assert packet.time_ns == 77
    assert not capture.problems


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["dns", "dhcp", ""]))
def test_any_payload_keeps_its_length(data: bytes, protocol: str) -> None:
    scrubber = Scrubber(Known(), Pseudonyms(KEY))
    messages = ((protocol, 0, len(data)),) if protocol else ()
    for name in ("host.example.vn", "ngocanh"):
        scrubber.known.add_host(name)
    scrubber.learn(data, messages)
    scrubber.prepare()
    assert len(scrubber.rewrite(data, messages)) == len(data)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_damaged_capture(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    source = tmp_path_factory.mktemp("any") / "in.pcap"
    raw = bytearray(data.draw(st.sampled_from(CAPTURES)).read_bytes()[:3000])
    for _ in range(data.draw(st.integers(0, 20))):
        raw[data.draw(st.integers(24, len(raw) - 1))] = data.draw(st.integers(0, 255))
    source.write_bytes(raw)
    outcome = sanitize(source, source.with_name("out.pcap"), Known(), Pseudonyms(KEY))
    assert outcome.packets >= 0
    assert source.with_name("out.pcap").stat().st_size <= len(raw)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, key = str(ROOT / "pcaps" / "web-log4shell.pcap"), str(tmp_path / "key")
    one, two = str(tmp_path / "one.pcap"), str(tmp_path / "two.pcap")
    assert main(["pcap", "sanitize", source, one, "--new-key", key]) == 0
    assert "the same" in capsys.readouterr().out
    assert Path(key).stat().st_mode & 0o777 == 0o600
    assert main(["pcap", "sanitize", source, two, "--key", key, "--no-proof"]) == 0
    assert Path(one).read_bytes() == Path(two).read_bytes()
    rules = tmp_path / "name.rules"
    rules.write_text('alert tcp any any -> any any (msg:"needs a name"; content:"bigbank"; sid:1;)\n')
    wrpcap(str(tmp_path / "in.pcap"), tcp_stream(SECRET_REQUEST, []))
    mine = [str(tmp_path / "in.pcap"), str(tmp_path / "mine.pcap"), "-S", str(rules), "-k", "none"]
    assert main(["pcap", "sanitize", *mine]) == 1
    assert "lost 1 x 1 needs a name" in capsys.readouterr().out
    assert main(["pcap", "sanitize", *mine, "--keep", "bigbank"]) == 0
    (tmp_path / "short").write_bytes(b"x")
    for arguments in (
        [source, source],
        [source, one, "--key", str(tmp_path / "short")],
        [source, one, "--key", str(tmp_path / "absent")],
        [source, one, "--new-key", key],
        [str(tmp_path / "short"), one],
        [source, str(tmp_path / "no" / "where")],
    ):
        capsys.readouterr()
        assert main(["pcap", "sanitize", *arguments]) == 2, arguments
        assert capsys.readouterr().err.count("\n") == 1


def test_a_reverse_name_quoted_by_icmp_names_no_address(tmp_path: Path) -> None:
    asked = DNS(rd=1, qd=DNSQR(qname="9.7.168.192.in-addr.arpa", qtype="PTR"))
    quoted = IP(src="192.168.7.1", dst="192.168.7.2") / UDP(sport=5000, dport=53) / asked
    packet = Ether() / IP(src="192.168.7.2", dst="192.168.7.1") / ICMP(type=3, code=3) / quoted
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    wrpcap(str(source), [packet])
    sanitized(source, target, Pseudonyms(KEY))
    assert b"\x019\x017\x03168\x03192" in source.read_bytes()
    assert b"\x019\x017\x03168\x03192" not in target.read_bytes()


@pytest.mark.parametrize(
    "payload",
    [
        b"\x40\x00\x00\x01\x8d\xa6\xff\x01\x00\x00\x00\x01\x21" + bytes(23) + b"ngocanh\0\x14" + b"\x55" * 20,
        b"\x39\x00\x00\x00\x11ngocanh\0\x14" + b"\x55" * 20 + b"\0\x21\0mysql_native_password\0",
        b"\x00\x00\x00\x29\x00\x03\x00\x00user\0ngocanh\0database\0stock\0\0",
    ],
    ids=["mysql", "mysql change of user", "postgresql"],
)
def test_users_of_databases_go(payload: bytes, tmp_path: Path) -> None:
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    wrpcap(str(source), tcp_stream(payload, [len(payload)]))
    sanitized(source, target, Pseudonyms(KEY))
    assert b"ngocanh" in source.read_bytes() and b"ngocanh" not in target.read_bytes()


def test_a_link_type_whose_addresses_are_not_known_is_blanked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    wrpcap(str(source), [Raw(b"www.bigbank.vn")], linktype=149)
    main(["pcap", "sanitize", str(source), str(target), "--no-proof"])
    assert target.read_bytes()[40:] == bytes(len(b"www.bigbank.vn"))
    assert "link type 149" in capsys.readouterr().out

"""What each protocol names is gone from a sanitized datagram or stream of it, and the rest is there; and any
bytes are survived by everything that reads them.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import LLC, Dot3, Ether
from scapy.packet import Packet, Raw
from scapy.utils import rdpcap, wrpcap

from sensor.desk.replaying import events, everything
from sensor.pcap import http2_wire, http_bodies
from sensor.pcap.contexts import places
from sensor.pcap.found import Flow
from sensor.pcap.generic import generic_labels
from sensor.pcap.known import known_from
from sensor.pcap.layers import layers_of
from sensor.pcap.pseudonyms import Pseudonyms
from sensor.pcap.sanitize import sanitize
from sensor.pcap.wires import messages_in, wire_places

ETHER = Ether(src="00:11:22:33:44:55", dst="00:66:77:88:99:aa")
LOREM = b" ".join(b"%d" % (number * number) for number in range(200))
NAT = bytes([203, 0, 113, 200])


def sanitized(tmp_path: Path, packets: list[Packet]) -> list[Packet]:
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    wrpcap(str(source), packets)
    config, no_rules = everything()
    known = known_from(events(config, no_rules, [str(source)]))
    sanitize(source, target, known, Pseudonyms(bytes(range(32))))
    return list(rdpcap(str(target)))


def udp(port: int, payload: bytes) -> Packet:
    return ETHER / IP(src="10.9.8.7", dst="10.1.2.3") / UDP(sport=40001, dport=port) / Raw(payload)


def tcp(payload: bytes, port: int, back: bool = False) -> Packet:
    ends = IP(src="10.1.2.3", dst="10.9.8.7") if back else IP(src="10.9.8.7", dst="10.1.2.3")
    ports = TCP(sport=port, dport=40001) if back else TCP(sport=40001, dport=port)
    ports.seq, ports.flags = 1000, "PA"
    return ETHER / ends / ports / Raw(payload)


def option(code: int, value: bytes, width: int = 2) -> bytes:
    return code.to_bytes(width, "big") + len(value).to_bytes(width, "big") + value


def ber(tag: int, value: bytes) -> bytes:
    return bytes([tag, len(value)]) + value


def name(text: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


V3_USER = ber(4, b"\x80\0\x1f\x88\4abcd") + b"\2\1\0\2\1\0" + ber(4, b"ngocanh") + ber(4, b"") + ber(4, b"")
DATAGRAMS = {
    "dhcpv6": (
        547,
        b"\1abc" + option(39, b"\1" + name("desk.bigbank.vn")) + option(24, name("intra.bigbank.vn"))
        + option(1, b"\0\1\0\1\1\2\3\4\0\x1b\x21\x3c\x4d\x5e"),
        [b"bigbank", b"intra", b"\x1b\x21\x3c\x4d\x5e"],
        [b"\1abc"],
    ),
    "radius": (
        1812,
        b"\1\1\0\x40" + bytes(16) + b"\1\x09ngocanh" + b"\4\6" + NAT + b"\2\x12" + b"\x77" * 16
        + b"\x1a\x0f\0\0\0\x09\1\x09bigbank",
        [b"ngocanh", b"bigbank", NAT, b"\x77" * 8],
        [b"\1\1\0\x40", b"\1\x09"],
    ),
    "snmp": (
        161,
        ber(0x30, b"\2\1\1" + ber(4, b"s3cr3tc0m") + ber(0xA2, b"\2\1\1\2\1\0\2\1\0"
        + ber(0x30, ber(0x30, ber(6, b"\x2b\6\1") + ber(0x40, NAT))))),
        [b"s3cr3tc0m", NAT],
        [b"\2\1\1\4\x09"],
    ),
    "snmpv3": (
        161,
        ber(0x30, b"\2\1\3" + ber(0x30, b"\2\1\1\2\1\1" + ber(4, b"\0") + b"\2\1\3")
        + ber(4, ber(0x30, V3_USER)) + ber(0x30, b"")),
        [b"ngocanh"],
        [b"\2\1\3"],
    ),
    "ntp": (123, b"\x24\2\6\xe9" + bytes(8) + NAT + bytes(32), [NAT], [b"\x24\2\6\xe9"]),
    "monlist": (123, b"\x97\0\3\x2a\0\1\0\x48" + bytes(16) + NAT + bytes(20), [NAT], [b"\x97\0\3\x2a"]),
    "stun": (
        3478,
        b"\1\1\0\x24" + b"\x21\x12\xa4\x42" + b"t" * 12 + option(0x20, b"\0\1\x11\x22" + NAT)
        + option(1, b"\0\1\x11\x22" + NAT) + option(6, b"ngocanh") + b"\0",
        [b"ngocanh", NAT],
        [b"\1\1\0\x24\x21\x12\xa4\x42"],
    ),
    "netbios": (
        137,
        b"\1\2\x85\0\0\0\0\1\0\0\0\0" + b"\x20" + b"EOEHEPEDEBEOEICACACACACACACACAAA" + b"\0"
        + b"\0\x20\0\1\0\0\0\0\0\6\0\0" + NAT,
        [b"EOEHEPEDEBEOEI", NAT],
        [b"\1\2\x85\0"],
    ),
    "dns-on-another-port": (
        18053,
        b"\1\2\1\0\0\1\0\0\0\0\0\0" + name("login.bigbank.internal") + b"\0\1\0\1",
        [b"bigbank"],
        [b"\5login", b"\x08internal"],
    ),
    "ike": (
        500,
        b"i" * 8 + bytes(8) + b"\5\x10\4\0" + bytes(4) + b"\0\0\0\x40"
        + b"\0\0\0\x18\2\0\0\0vpn.bigbank.vn.x",
        [b"bigbank"],
        [b"\5\x10\4\0"],
    ),
    "control": (520, b"\2\2\0\0\0\2\0\0" + NAT + bytes(12), [NAT], [b"\2\2\0\0"]),
    "syslog": (514, b"<34>Oct 11 22:14:15 bankhost7 su: failed", [b"bankhost7"], [b"su: failed"]),
    "socket": (9999, b"....\2\0\0\x50" + NAT + bytes(8) + b"....", [NAT], [b"...."]),
    "sni": (
        9998,
        b"\x16\3\1...\0\0\0\x14\0\x12\0\0\x0fdesk.bigbank.vn\0\x17",
        [b"bigbank"],
        [b"\x16\3\1..."],
    ),
    "google-quic": (
        9997,
        b"..CHLO\2\0\0\0PAD\0\4\0\0\0SNI\0\x13\0\0\0----desk.bigbank.vn",
        [b"bigbank"],
        [b"CHLO", b"SNI\0"],
    ),
    "sunrpc": (
        7777,
        b"\0\0\0\1\0\0\0\x24\1\2\3\4\0\0\0\x09bankhost7\0\0\0",
        [b"bankhost7"],
        [b"\1\2\3\4"],
    ),
}  # fmt: skip
BIND = b"\2\1\3" + ber(4, b"cn=ngocanh,dc=bigbank,dc=vn") + ber(0x80, b"Tr0ub4dor")
STREAMS = {
    "kerberos": (
        88,
        b"\xa1\x0e\x1b\x0cBIGBANK.CORP\xa2\x0b\x30\x09\x1b\7ngocanh",
        [b"bigbank", b"ngocanh"],
        [b"CORP"],
    ),
    "ldap": (
        389,
        ber(0x30, b"\2\1\1" + ber(0x60, BIND)),
        [b"ngocanh", b"bigbank", b"tr0ub4dor"],
        [b"cn=", b",dc="],
    ),
    "socks": (
        1080,
        b"\5\1\2\1\7ngocanh\x09Tr0ub4dor\5\1\0\1" + NAT + b"\0\x50",
        [b"ngocanh", b"tr0ub4dor", NAT],
        [b"\5\1\2\1"],
    ),
    "irc": (
        6667,
        b"NICK bob77\r\nUSER ngocanh 0 * :Ngoc Anh Tran\r\n",
        [b"bob77", b"ngocanh", b"anh tran"],
        [b"NICK "],
    ),
    "mail": (
        25,
        b"Subject: x\r\nReported-by: Ngoc Tran <ngoct@bigbank.vn>\r\n",
        [b"ngoc tran", b"bigbank"],
        [b"Subject: x"],
    ),
    "bgp": (179, b"\xff" * 16 + b"\0\x1d\1\4\xfd\xe8\0\xb4" + NAT + b"\0", [NAT], []),
    "ndr": (
        445,
        b"\x09" + bytes(7) + b"\x09\0\0\0" + "BANKPC7$\0".encode("utf-16-le"),
        ["BANKPC7".encode("utf-16-le")],
        [b"\x09\0\0\0"],
    ),
    "telnet": (
        23,
        b"\xff\xfd\x03\xff\xfb\x18ngocanh\r\nTr0ub4dor\r\ncat /etc/hosts\r\n",
        [b"ngocanh", b"tr0ub4dor"],
        [b"\xff\xfd\x03", b"cat /etc/hosts"],
    ),
    "form": (
        80,
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 26\r\n\r\nlog=ngocanh&pass=Tr0ub4dor",
        [b"ngocanh", b"tr0ub4dor"],
        [b"&pass="],
    ),
    "percent": (
        80,
        b"GET /?host=www.bigbank.vn&dn=CN%3dNgoc%20Anh%20Tran HTTP/1.1\r\nHost: www.bigbank.vn\r\n\r\n",
        [b"bigbank"],
        [b"GET /?host=www."],
    ),
}


@pytest.mark.parametrize("case", DATAGRAMS)
def test_datagrams(case: str, tmp_path: Path) -> None:
    port, payload, gone, kept = DATAGRAMS[case]
    (packet,) = sanitized(tmp_path, [udp(port, payload)])
    made = bytes(packet[UDP].payload)
    assert len(made) == len(payload)
    assert [word for word in gone if word in payload and word in made] == []
    assert [word for word in gone if word not in payload] == []
    assert [word for word in kept if word not in made] == []


@pytest.mark.parametrize("case", STREAMS)
@pytest.mark.parametrize("cut", [0, 9])
def test_streams(case: str, cut: int, tmp_path: Path) -> None:
    port, payload, gone, kept = STREAMS[case]
    first, second = tcp(payload[:cut] or payload, port), tcp(payload[cut:], port)
    second[TCP].seq += cut
    made = b"".join(
        bytes(packet[TCP].payload) for packet in sanitized(tmp_path, [first, second][: 1 + bool(cut)])
    )
    assert len(made) == len(payload)
    assert [word for word in gone if word not in payload.lower() and word not in payload] == []
    assert [word for word in gone if word in made.lower() or word in made] == []
    assert [word for word in kept if word not in made] == []


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw", "br"])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_compressed_bodies(coding: str, is_chunked: bool, tmp_path: Path) -> None:
    plain = b"<a href='http://intra.bigbank.vn/x'>" + LOREM + b"</a>"
    packed = {
        "gzip": gzip.compress(plain, mtime=0),
        "deflate": zlib.compress(plain),
        "raw": zlib.compress(plain, wbits=-15),
        "br": plain,  # stands for what cannot be read
    }[coding]
    chunks = b"%x\r\n%s\r\n5\r\n%s\r\n0\r\n\r\n" % (len(packed) - 5, packed[:-5], packed[-5:])
    body = chunks if is_chunked else packed
    length = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % len(packed)
    told = coding.replace("raw", "deflate").encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: " + told + b"\r\n" + length + b"\r\n\r\n"
    request = tcp(b"GET /x HTTP/1.1\r\nHost: intra.bigbank.vn\r\n\r\n", 80)
    _, packet = sanitized(tmp_path, [request, tcp(head + body, 80, back=True)])
    made = bytes(packet[TCP].payload)
    assert len(made) == len(head + body)
    (found,) = http_bodies.compressed_bodies(made)
    again = http_bodies.plain_of(found.bytes_in(made), found.coding)
    if coding == "br":
        assert again is None
        assert set(found.bytes_in(made)) == {0}
    else:
        assert again is not None
        assert b"bigbank" not in again
        assert again.startswith(b"<a href='http://")
        assert LOREM[: len(LOREM) // 2] in again


def test_a_body_without_names_stays(tmp_path: Path) -> None:
    packed = gzip.compress(LOREM, mtime=0)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    (packet,) = sanitized(tmp_path, [tcp(head + packed, 80, back=True)])
    assert bytes(packet[TCP].payload) == head + packed


def test_http2(tmp_path: Path) -> None:
    # GET; /; :authority in Huffman code (RFC 7541, C.4.1: www.example.com); user-agent as it is.
    authority = bytes.fromhex("f1e3c2e5f23a6ba0ab90f4ff")
    fields = b"\x82\x84\x41\x8c" + authority + b"\x7a\x03abc"
    frame = len(fields).to_bytes(3, "big") + b"\1\5\0\0\0\1" + fields
    packed = gzip.compress(b"see http://intra.bigbank.vn/x " + LOREM, mtime=0)
    answer = len(packed).to_bytes(3, "big") + b"\0\1\0\0\0\1" + packed
    settings_frame = b"\0\0\0\4\0\0\0\0\0"
    packets = [
        tcp(http2_wire.PREFACE + settings_frame + frame, 8080),
        tcp(settings_frame + answer, 8080, back=True),
    ]
    there, back = (bytes(packet[TCP].payload) for packet in sanitized(tmp_path, packets))
    assert authority not in there
    assert there.endswith(b"\x82\x84\x41\x8c" + http2_wire.blank_huffman(12) + b"\x7a\x03abc")
    again = gzip.decompress(back[len(settings_frame) + 9 :])
    assert b"bigbank" not in again
    assert LOREM[: len(LOREM) // 2] in again


def test_what_no_rule_looks_into_is_blanked(tmp_path: Path) -> None:
    packets = [
        ETHER / IP(src="10.9.8.7", dst="224.0.0.5", proto=89) / Raw(b"\2\1\0\x2c" + NAT * 4),
        Dot3(src="00:11:22:33:44:55", dst="01:80:c2:00:00:00") / LLC(dsap=66, ssap=66, ctrl=3) / Raw(NAT * 4),
        Ether(src="00:11:22:33:44:55", dst="01:80:c2:00:00:0e", type=0x88CC) / Raw(b"\x0a\x09bankhost7"),
        ETHER / IP(src="10.9.8.7", dst="10.1.2.3") / UDP(sport=9, dport=9) / Raw(b"abcd") / Raw(b""),
    ]
    packets[3] = Ether(bytes(packets[3]) + NAT)  # a trailer
    made = sanitized(tmp_path, packets)
    for packet in made:
        assert NAT not in bytes(packet)
        assert b"bankhost7" not in bytes(packet)
    assert bytes(made[0][IP].payload)[:4] == b"\2\1\0\x2c"
    assert bytes(made[3])[-8:] == b"abcd" + bytes(4)


def test_addresses_in_options(tmp_path: Path) -> None:
    add_address = [(30, b"\x30\1" + NAT)]
    home = b"\x3b\2\1\2\0\0\xc9\x10" + bytes.fromhex("20010db8000000000000000000000077")
    packets = [
        ETHER / IP(src="10.9.8.7", dst="10.1.2.3") / TCP(sport=1, dport=2, options=add_address),
        ETHER / IPv6(src="2001:db8::1", dst="2001:db8::2", nh=60) / Raw(home),
    ]
    multipath, mobile = map(bytes, sanitized(tmp_path, packets))
    assert NAT not in multipath
    assert home[8:] not in mobile
    assert home[:8] in mobile


def test_labels_of_hosts() -> None:
    def kept(host: str) -> str:
        labels = host.encode().split(b".")
        return ".".join(
            label.decode() if keep else "-"
            for label, keep in zip(labels, generic_labels(labels), strict=True)
        )

    assert kept("www.microsoft.com") == "www.-.com"
    assert kept("login.live.com") == "login.-.com"
    assert kept("mail.bank.co.uk") == "mail.-.co.uk"
    assert kept("www.example.com") == "www.example.com"
    assert kept("version.bind") == "version.bind"
    assert kept("2.1.0") == "2.1.0"
    assert kept("printer") == "-"
    assert kept("www") == "www"


@given(st.binary(max_size=300), st.sampled_from([53, 67, 137, 138, 547, 123, 161, 500, 1812, 3478]))
@settings(max_examples=400, deadline=None)
def test_any_bytes(data: bytes, port: int) -> None:
    flow = Flow(17, bytes(4), 40000, bytes(4), port)
    for place in wire_places(data, messages_in(flow, data)):
        assert 0 <= place.start <= place.end
    stun = data[:4] + b"\x21\x12\xa4\x42" + data
    list(wire_places(stun, messages_in(flow._replace(destination_port=9), stun)))
    for found in places(data):
        assert 0 <= found.start <= found.end <= len(data)


@given(st.binary(max_size=300), st.sampled_from([1, 101, 105, 113, 276]))
@settings(max_examples=300, deadline=None)
def test_any_packets(data: bytes, link: int) -> None:
    for payload in layers_of(link, data).payloads:
        assert 0 <= payload.start < payload.end <= len(data)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bodies(data: bytes) -> None:
    for start, end in http2_wire.telling_values(data):
        assert 0 <= start <= len(data)
        assert end <= len(data)
    list(http2_wire.bodies(data))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    for body in http_bodies.compressed_bodies(head + data):
        before = body.bytes_in(head + data)
        for coding in (b"gzip", b"deflate", b"zstd", b"br"):
            assert len(http_bodies.rewritten(before, coding, bytes.upper)) == len(before)

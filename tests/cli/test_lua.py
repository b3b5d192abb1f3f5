"""Rules with scripts: what they are given, what they may do, and what happens when they go wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sensor._engine", reason="the engine is not built: make setup")

Run = Callable[..., subprocess.CompletedProcess[str]]

PCAPS = Path(__file__).parents[2] / "pcaps"
ALLOWED = ("--set", "security.lua.allow-rules=yes")

INIT = "function init() return {} end\n"


class Bench:
    """One folder with rules and scripts in it."""

    def __init__(self, haidang: Run, folder: Path) -> None:
        self.haidang, self.folder = haidang, folder

    def replay(self, capture: str, rules: str, *more: str, **scripts: str) -> list[dict[str, Any]]:
        """The events of a capture; scripts by name, without their `.lua`."""
        for name, text in scripts.items():
            (self.folder / f"{name}.lua").write_text(text)
        (self.folder / "a.rules").write_text(rules)
        (self.folder / "out" / "eve.json").unlink(missing_ok=True)
        self.done = self.haidang(
            "replay", PCAPS / capture, "-S", self.folder / "a.rules", "-l", self.folder / "out", "-k", "none",
            *(more or ALLOWED),
        )  # fmt: skip
        assert self.done.returncode == 0, self.done.stderr
        self.said = self.done.stdout + self.done.stderr
        return [json.loads(line) for line in (self.folder / "out" / "eve.json").read_text().splitlines()]

    def sids(self, capture: str, rules: str, *more: str, **scripts: str) -> list[int]:
        events = self.replay(capture, rules, *more, **scripts)
        return [e["alert"]["signature_id"] for e in events if e["event_type"] == "alert"]

    def holds(self, capture: str, rule: str, condition: str, head: str = "", *more: str) -> bool:
        """Whether a Lua condition holds where a rule, or one of only this header, asks; it must not fail."""
        init = "" if "function init" in head else INIT
        script = f"{head}\n{init}function match(args) if {condition} then return 1 end end"
        rule = rule if "(" in rule else f"alert {rule} (lua:s.lua; sid:1;)"
        sids = self.sids(capture, f"{rule}\n", *more, s=script)
        assert "1 loaded" in self.said and "error:" not in self.said, self.said
        return bool(sids)


@pytest.fixture
def bench(haidang: Run, tmp_path: Path) -> Bench:
    return Bench(haidang, tmp_path)


ANY = "any any -> any any"


def test_scripts_are_off_unless_allowed(bench: Bench) -> None:
    rules = f"alert tcp {ANY} (lua:s.lua; sid:1;)\n"
    rules += f'alert tcp {ANY} (tcp.hdr; luaxform:t.lua; content:"a"; sid:2;)\n'
    scripts = {"s": INIT + "function match() return 1 end", "t": "function transform(i) return i, #i end"}
    assert bench.sids("http-get.pcap", rules, "--set", "security.lua.allow-rules=no", **scripts) == []
    assert "security.lua.allow-rules" in bench.said
    assert "2 skipped" in bench.said


def test_every_packet_and_its_facts(bench: Bench) -> None:
    script = """
    local packet, flow = require("suricata.packet"), require "suricata.flow"
    function init() return {packet = true, payload = tostring(true)} end
    function match(args)
        local p, f = packet.get(), flow.get()
        local version, src, dst, proto, sp, dp = p:tuple()
        assert(version == 4 and proto == 6 and sp == p:sp() and dp == p:dp())
        assert(args.payload == p:payload() and args.packet == p:packet())
        assert(SCPacketPayload() == args.payload)
        assert(select(2, f:tuple()) == "198.51.100.23" and select(3, SCFlowTuple()) == "10.20.0.80")
        assert(p:timestring_iso8601():find("^%d+-%d%d%-%d%dT[%d:]+%.%d+%+0000$"), p:timestring_iso8601())
        assert(p:timestring_legacy():find("^%d%d/%d%d/%d%d%d%d%-[%d:]+%.%d+$"))
        local seconds, micros = p:timestamp()
        assert(select(2, f:timestamps()) == seconds and select("#", f:stats()) == 4)
        if args.payload:find("^GET ") and dp == 80 then return 1 end
        return 0
    end
    """
    assert bench.sids("http-get.pcap", f"alert tcp {ANY} (lua:s.lua; sid:1;)\n", s=script) == [1, 1]
    assert "error:" not in bench.said
    # Every packet with a payload is shown to it, those of the answer too.
    count = INIT.replace("{}", "{payload = true}") + "function match() return 1 end"
    events = bench.replay("http-get.pcap", f"alert tcp {ANY} (lua:s.lua; sid:1;)\n", s=count)
    assert len([e for e in events if e["event_type"] == "alert"]) >= 2


def test_negation_and_what_is_returned(bench: Bench) -> None:
    rules = "".join(f"alert tcp {ANY} (flags:S; lua:{name}; sid:{sid};)\n" for sid, name in enumerate(
        ("one.lua", "!one.lua", "nought.lua", "!nought.lua", "bad.lua", "!bad.lua", "yes.lua"), 1
    ))  # fmt: skip
    scripts = {
        "one": INIT + "function match() return 1 end",
        "nought": INIT + "function match() return 0 end",
        "bad": INIT + "function match() return nothing.at_all end",
        "yes": INIT + "function match() return true end",
    }
    # A script that fails matches neither way (Suricata: the same).
    assert sorted(bench.sids("http-get.pcap", rules, **scripts)) == [1, 4]
    assert "bad.lua" in bench.said and "nothing" in bench.said


@pytest.mark.parametrize(
    ("need", "condition"),
    [
        ("http.request_line", 'args["http.request_line"]:find("^GET .* HTTP/1%.[01]$")'),
        ("http.uri", 'args["http.uri"]:find("^/")'),
        ("http.request_headers", 'args["http.request_headers"]:find("Host: ")'),
        ("http.request_user_agent", '#args["http.request_user_agent"] > 3'),
        ("http.response_headers", 'args["http.response_headers"]:find("Content")'),
        ("http.response_body", '#args["http.response_body"] > 0 and args.offset == 0'),
        ("http.stat_code", 'args["http.stat_code"]:find("^%d%d%d$")'),
    ],
)
def test_any_sticky_buffer_can_be_needed(bench: Bench, need: str, condition: str) -> None:
    head = f'function init() return {{["{need}"] = tostring(true)}} end'
    assert bench.holds("http-get.pcap", f"http {ANY}", condition, head)
    assert not bench.holds("http-get.pcap", f"http {ANY}", f"not ({condition})", head)


def test_the_buffer_in_hand_and_the_stream(bench: Bench) -> None:
    head = "function init() return {buffer = true} end"
    rule = f'alert http {ANY} (http.uri; content:"/"; lua:s.lua; sid:1;)'
    assert bench.holds("http-get.pcap", rule, 'args.buffer:sub(1, 1) == "/"', head)
    head = "function init() return {stream = true} end"
    assert bench.holds("tcp-byte-by-byte.pcap", f"tcp {ANY}", 'args.stream:find("HTTP/1%.1\\r\\n")', head)
    (bench.folder / "s.lua").write_text(head.replace("stream", "buffer") + " function match() end")
    assert bench.sids("http-get.pcap", f"alert http {ANY} (lua:s.lua; sid:1;)\n") == []
    assert "no sticky buffer is selected" in bench.said


HTTP = 'local tx = require("suricata.http").get_tx()\n'


@pytest.mark.parametrize(
    "condition",
    [
        'tx:request_line():find("^GET ") and HttpGetRequestLine() == tx:request_line()',
        'tx:response_line():find("^HTTP/1.1 200")',
        'tx:request_header("hoST") == tx:request_host()',
        'HttpGetRequestHeader("Host") == tx:request_host()',
        'tx:request_headers()["Host"] == tx:request_host()',
        'tx:response_header("Content-Length") and tx:response_headers()["Content-Length"]',
        'tx:request_headers_raw():find("Host: ") and tx:response_headers_raw():find("Content%-Length: ")',
        "tx:request_uri_raw() == tx:request_uri_normalized()",
        "table.concat((tx:response_body())):len() > 0 and select(3, tx:response_body()) > 0",
        'tx:request_header("No-Such") == nil and tx:request_body() == nil',
    ],
)
def test_http_library(bench: Bench, condition: str) -> None:
    rule = f"alert http1:response_complete {ANY} (lua:s.lua; sid:1;)"
    assert bench.holds("http-get.pcap", rule, f"(function() {HTTP} return {condition} end)()")


# Where a rule asks, and what must hold there; `tx` is the transaction of the library.
LIBRARIES = [
    (
        "http2-get.pcap",
        "http2",
        "http",
        '(tx:request_uri_raw() or ""):find("^/") and tx:request_header("user-agent")',
    ),
    ("dns-udp.pcap", "dns:response_complete", "dns", "tx:rrname() == DnsGetQueries()[0].rrname"),
    (
        "dns-udp.pcap",
        "dns:response_complete",
        "dns",
        'dns.txid() == DnsGetTxid() and dns.rcode_string() == "NOERROR"',
    ),
    (
        "dns-udp.pcap",
        "dns:response_complete",
        "dns",
        "(DnsGetAnswers()[0] or {}).ttl and tx:authorities()[0] == nil",
    ),
    ("dns-udp.pcap", "dns:response_complete", "dns", "tx:rcode() == 0 and DnsGetRecursionDesired()"),
    (
        "tls-12.pcap",
        "tls:server_handshake_done",
        "tls",
        'TlsGetVersion() == "TLS 1.2" and TlsGetSNI() == tx:get_sni()',
    ),
    ("tls-12.pcap", "tls:server_handshake_done", "tls", "#select(4, tx:get_server_cert_info()) == 59"),
    (
        "tls-12.pcap",
        "tls:server_handshake_done",
        "tls",
        'select(2, TlsGetCertInfo()):find("CN=") and TlsGetCertSerial()',
    ),
    (
        "tls-12.pcap",
        "tls:server_handshake_done",
        "tls",
        "TlsGetCertNotBefore() < tx:get_server_cert_not_after()",
    ),
    (
        "tls-12.pcap",
        "tls:server_handshake_done",
        "tls",
        "TlsGetCertChain()[1].length == #TlsGetCertChain()[1].data",
    ),
    (
        "tls-12.pcap",
        "tls:server_handshake_done",
        "tls",
        "tx:get_client_cert_info() == nil and tx:get_client_version()",
    ),
    (
        "tls-12.pcap",
        "tls:server_handshake_done",
        "ja3",
        "#Ja3GetHash() == 32 and tx:ja3s_get_string() == Ja3SGetString()",
    ),
    ("ssh-key-exchange.pcap", "ssh", "ssh", "tx:client_software() and #(tx:client_hassh() or '') == 32"),
    (
        "ssh-key-exchange.pcap",
        "ssh",
        "ssh",
        "tx:server_proto() == '2.0' and SshGetClientProtoVersion() == '2.0'",
    ),
    (
        "smtp-mail.pcap",
        "smtp",
        "smtp",
        'SMTPGetMimeField("SUBJECT") == "hello" and tx:get_rcpt_list()[1]:find("@")',
    ),
    ("smtp-mail.pcap", "smtp", "smtp", 'tx:get_mime_list()[1] == "Subject" and SMTPGetMailFrom():find("@")'),
    ("dnp3-read.pcap", "dnp3", "dnp3", "tx.is_request and tx.request.link_header.src == 1"),
]
ANY_LIBRARY = [
    ("ftp-session.pcap", "ftp", 'tx:record().command == "USER"'),
    ("mqtt-meter.pcap", "mqtt", 'tx:number("mqtt.protocol_version") == 4 and tx:protocol() == "mqtt"'),
    ("http-get.pcap", "http", 'tx:buffers("http.request_header")[1] == tx:buffer("http.request_header")'),
]


@pytest.mark.parametrize(("capture", "protocol", "library", "condition"), LIBRARIES)
def test_protocol_libraries(bench: Bench, capture: str, protocol: str, library: str, condition: str) -> None:
    """The script is asked whenever something of a transaction is new, until it says yes."""
    head = (
        f"local {library} = require('suricata.{library}')\n"
        'function init() require("suricata.ja3").enable_ja3()\n'
        'require("suricata.ssh").enable_hassh() return {} end\n'
    )
    condition = f"(function() local tx = assert({library}.get_tx()) return {condition} end)()"
    enabled = ("--set", "app-layer.protocols.dnp3.enabled=yes")
    assert bench.holds(capture, f"{protocol} {ANY}", condition, head, *ALLOWED, *enabled)


def test_several_buffers_at_once(bench: Bench) -> None:
    """The first by name says when; the others are given as far as they are there."""
    head = 'function init() return {ja3 = true, ja3s = true, ["tls.sni"] = true} end'
    condition = "#args.ja3 == 32 and #args['tls.sni'] > 3 and #(args.ja3s or ('x'):rep(32)) == 32"
    assert bench.holds("tls-12.pcap", f"tls {ANY}", condition, head)


def test_magic_is_there_for_a_script_alone(bench: Bench) -> None:
    head = 'function init() return {["file.magic"] = true} end'
    assert bench.holds("http-get.pcap", f"http {ANY}", "args['file.magic']:find('HTML')", head)


@pytest.mark.parametrize(("capture", "protocol", "condition"), ANY_LIBRARY)
def test_any_transaction(bench: Bench, capture: str, protocol: str, condition: str) -> None:
    condition = f'(function() local tx = require("haidang.tx").get_tx() return {condition} end)()'
    assert bench.holds(capture, f"{protocol} {ANY}", condition)


def test_a_library_of_another_protocol_has_no_transaction(bench: Bench) -> None:
    condition = 'select(2, require("suricata.tls").get_tx()):find("TLS") and TlsGetSNI() == nil'
    assert bench.holds("http-get.pcap", f"http {ANY}", condition)


def test_rule_and_byte_variables(bench: Bench) -> None:
    condition = """(function()
        local sig = require("suricata.rule").get_rule()
        local sid, rev, gid = SCRuleIds()
        return sig:sid() == 7 and rev == 3 and gid == 1 and sig:msg() == "m" and sig:action() == "alert"
            and sig:class_description() == "Potentially Bad Traffic" and sig:priority() == 2
            and bytes:value() == 0x47455420 and SCByteVarGet(0) == 0x47455420
    end)()"""
    head = """
    local bytevar = require("suricata.bytevar")
    function init(sig) bytevar.map(sig, "verb") return {bytevar = {"verb"}} end
    function thread_init() bytes = bytevar.get("verb") end
    """
    rule = (
        f'alert tcp {ANY} (msg:"m"; content:"GET "; depth:4; byte_extract:4,0,verb; classtype:bad-unknown;'
        " lua:s.lua; sid:7; rev:3;)"
    )
    assert bench.holds("http-get.pcap", rule, condition, head)
    unknown = head.replace('"verb"', '"other"')
    assert bench.sids("http-get.pcap", rule, s=unknown + "function match() end") == []
    assert "unknown byte variable: other" in bench.said


def test_flow_variables_are_shared_with_rules_and_scripts(bench: Bench) -> None:
    counts = """
    local ints, vars = require("suricata.flowint"), require("suricata.flowvar")
    function init()
        ints.register("seen") vars.register("word")
        return {flowint = {"old"}, flowvar = {"text"}}
    end
    function thread_init() seen, word = ints.get("seen"), vars.get("word") end
    function match()
        assert(seen:incr() == seen:value() and (ScFlowintGet(0) or 0) == seen:value() - 1)
        ScFlowintSet(0, seen:value())
        word:set("abcdef", 3) ScFlowvarSet(0, "text", 4)
        assert(word:value() == "abc" and ScFlowvarGet(0) == "text")
        return 0
    end
    """
    rules = (
        f"alert tcp {ANY} (lua:s.lua; sid:1;)\n"
        f"alert tcp {ANY} (flowint:seen,==,4; sid:2;)\n"
        f'alert tcp {ANY} (flowvar:word,"abc"; flowint:seen,==,4; sid:3;)\n'
        f'alert tcp {ANY} (flowvar:word,"abcd"; sid:4;)\n'
    )
    assert sorted(bench.sids("http-get.pcap", rules, s=counts)) == [2, 3]
    assert "error:" not in bench.said


def test_data_sets(bench: Bench) -> None:
    script = """
    local dataset, dns = require("suricata.dataset"), require("suricata.dns")
    function init() return {} end
    function thread_init()
        set = dataset.new()
        assert(select(2, set:get("no-such")))
        assert(set:get("names"))
    end
    function match() local name = dns.rrname() return set:add(name, #name) end
    """
    rules = f"alert dns {ANY} (flow:to_server; lua:s.lua; sid:1;)\n"
    rules += f"alert dns {ANY} (dns.query; dataset:isset,names; sid:2;)\n"
    config = ("--set", "datasets.names.type=string")
    sids = bench.sids("dns-udp.pcap", rules, *ALLOWED, *config, s=script)
    assert 1 in sids and 2 in sids


def test_hashes_and_base64(bench: Bench) -> None:
    script = """
    local hash, base64 = require("suricata.hashlib"), require("suricata.base64")
    local h = hash.sha256() h:update("a") h:update("bc")
    assert(h:finalize_to_hex() == hash.sha256_hexdigest("abc") and #hash.md5_digest("") == 16)
    assert(hash.sha1_hexdigest("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
    assert(base64.encode("ab") == "YWI=" and base64.encode_nopad("ab") == "YWI")
    assert(base64.decode("YWI=") == "ab" and base64.decode_nopad("YWI") == "ab")
    assert(base64.decode_padopt("YWI") == "ab" and base64.decode_padopt("YWI=") == "ab")
    assert(base64.decode_rfc2045("Y W\\nI=") == "ab" and base64.decode_rfc4648("YWJj!") == "abc")
    function init() return {} end
    function match() return 1 end
    """
    assert bench.sids("http-get.pcap", f"alert tcp {ANY} (flags:S; lua:s.lua; sid:1;)\n", s=script) == [1]
    for bad in ('base64.decode("YWI")', 'h:update("x")', "h:finalize()"):
        assert (
            bench.sids("http-get.pcap", f"alert tcp {ANY} (flags:S; lua:s.lua; sid:1;)\n", s=script + bad)
            == []
        )
        assert "base64" in bench.said or "hasher is finalized" in bench.said


def test_transforms(bench: Bench) -> None:
    script = """
    function transform(input, args)
        if args[1] == "nothing" then return nil end
        local from, count = tonumber(args[1]:match("offset (%d+)")), tonumber(args[2])
        return input:sub(from + 1):upper(), count
    end
    """
    uri = f"alert http {ANY} (http.uri; luaxform:t.lua, "
    rules = (
        f'{uri}offset 1, 3; bsize:3; pcre:"/^[A-Z]+$/"; sid:1;)\n'
        f'{uri}nothing; content:"/"; startswith; sid:2;)\n'
        f'{uri}offset 0, 4; to_lowercase; content:"/"; bsize:4; sid:3;)\n'
        f'{uri}broken; content:"/"; startswith; sid:4;)\n'
        f'{uri}offset 1, 100; content:"/"; startswith; sid:5;)\n'
    )
    # A transform that fails or returns no text and length leaves the buffer as it was.
    assert set(bench.sids("http-get.pcap", rules, t=script)) == {1, 2, 3, 4}
    assert bench.said.count(".lua: error:") == 1


def test_a_transform_is_called_once_for_a_buffer(bench: Bench) -> None:
    count = "local n = 0 function transform(i) n = n + 1 print('call', n) return i, #i end"
    rule = f'alert http {ANY} (http.uri; luaxform:t.lua; content:"index"; sid:1;)\n'
    assert bench.sids("http-get.pcap", rule, t=count) == [1]
    assert bench.said.count("print: call") == 2  # of two requests


BAD = {
    "blocked": ("function match() pcall(error) return 1 end", "Blocked Lua function called: pcall"),
    "files": ('function match() io.open("/etc/passwd") return 1 end', "io"),
    "library": ('function match() require("os") return 1 end', "Lua library not found: os"),
    "endless": ("function match() while true do end end", "Instruction limit exceeded"),
    "greedy": (
        'function match() local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end end',
        "memory",
    ),
    "at_once": ('function match() return #("x"):rep(1 << 30) end', "memory"),
    "deep": ("function match() return match() + 1 end", "memory"),
}


@pytest.mark.parametrize("name", BAD)
def test_the_sandbox_holds(bench: Bench, name: str) -> None:
    body, reason = BAD[name]
    rules = f"alert tcp {ANY} (flags:S; lua:!s.lua; sid:1;)\nalert tcp {ANY} (flags:S; sid:2;)\n"
    events = bench.replay("http-get.pcap", rules, s=INIT + body)
    assert [e["alert"]["signature_id"] for e in events if e["event_type"] == "alert"] == [2]
    assert reason in bench.said and bench.said.count(".lua: error:") == 1
    lua = [e for e in events if e["event_type"] == "stats"][-1]["stats"]["detect"]["lua"]
    assert lua == {
        "errors": 1,
        "blocked_function_errors": int(name == "blocked"),
        "instruction_limit_errors": int(name == "endless"),
        "memory_limit_errors": int(name in ("greedy", "at_once", "deep")),
    }


def test_limits_and_restricted_functions_follow_the_configuration(bench: Bench) -> None:
    rules = f"alert tcp {ANY} (flags:S; lua:s.lua; sid:1;)\n"
    loop = INIT + "function match() for i = 1, 1e6 do end return 1 end"
    assert bench.sids("http-get.pcap", rules, s=loop) == []
    assert bench.sids(
        "http-get.pcap", rules, *ALLOWED, "--set", "security.lua.max-instructions=9000000", s=loop
    ) == [1]
    large = INIT + 'function match() local s = ("x"):rep(2000000) return 1 end'
    assert bench.sids("http-get.pcap", rules, s=large) == []
    assert bench.sids("http-get.pcap", rules, *ALLOWED, "--set", "security.lua.max-bytes=9mb", s=large) == [1]
    free = INIT + "function match() return pcall(error) == false and require('os').time() > 0 and 1 or 0 end"
    assert bench.sids("http-get.pcap", rules, s=free) == []
    restricted = ("--set", "security.lua.allow-restricted-functions=yes")
    assert bench.sids("http-get.pcap", rules, *ALLOWED, *restricted, s=free) == [1]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("function match( end", "s.lua"),
        ("function match() end", "there is no function `init` in it"),
        (INIT, "there is no function `match` in it"),
        ("function init() return 1 end function match() end", "init does not return a table"),
        ('function init() return {["no.such"] = true} end function match() end', "init needs `no.such`"),
        ("while true do end", "Instruction limit exceeded"),
        ("\x1bLua", "s.lua"),
    ],
)
def test_a_wrong_script_is_told_when_rules_load(bench: Bench, script: str, reason: str) -> None:
    rules = f"alert tcp {ANY} (lua:s.lua; sid:1;)\nalert tcp {ANY} (flags:S; sid:2;)\n"
    assert bench.sids("http-get.pcap", rules, s=script) == [2]
    assert "1 quarantined" in bench.said and reason in bench.said
    assert bench.sids("http-get.pcap", f"alert tcp {ANY} (lua:none.lua; sid:1;)\n") == []
    assert "there is no script `none.lua`" in bench.said


def test_messages_are_few_and_harmless(bench: Bench) -> None:
    script = (
        'local logger = require("suricata.log")\n'
        + INIT
        + "function match() print('a', 1, '\\27[2J') logger.info('quiet')\n"
        "for i = 1, 500 do SCLogNotice('again') end return 1 end"
    )
    assert bench.sids("http-get.pcap", f"alert tcp {ANY} (flags:S; lua:s.lua; sid:1;)\n", s=script) == [1]
    assert "lua s.lua: print: a\\t1\\t\\u{1b}[2J" in bench.said
    assert "quiet" not in bench.said
    assert bench.said.count("again") == 99

"""Every configuration key Hải Đăng knows, as data. docs/configuration.md is made from this table.

A path is written with dots; `*` stands for any one name, `[]` for each entry of a list, `**` for everything
below. Who reads it: "engine" (goes into the engine's JSON document), "sensor" (read by the Python around it),
"none" (a key of Suricata's that is accepted, and has no effect here for the reason given).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sensor.config.eve_schema import EVE_TYPES
from sensor.config.interval import INTERVAL
from sensor.config.values import BOOL, COUNT, GUESS, SECONDS, SIZE, TEXT, TEXTS, Kind, choice, whole


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its path, what its value is, who reads it, and what it does."""

    path: str
    kind: Kind
    reader: str
    doc: str


def _engine(path: str, kind: Kind, doc: str) -> Key:
    return Key(path, kind, "engine", doc)


def _sensor(path: str, kind: Kind, doc: str) -> Key:
    return Key(path, kind, "sensor", doc)


def _none(path: str, why: str) -> Key:
    return Key(path, GUESS, "none", why)


LOG_NAME = "Name of the file, below default-log-dir unless absolute; `%Y`, `%m` … are the time."
ROTATE_INTERVAL = "Live: when a new file is begun: `minute`, `hour`, `day`, or a time such as `15m`."
YES_NO_AUTO = choice("yes", "no", "auto")
PROTOCOL_SWITCH = choice("yes", "no", "detection-only")
POLICY = choice("auto", "ignore", "bypass", "pass-packet", "pass-flow", "drop-packet", "drop-flow", "reject")
PORT = TEXT  # a port expression of the rule language; $VARIABLES are replaced before the engine sees it

_TIMEOUT_STATES = ("new", "established", "closed", "bypassed")
_OS_NAMES = (
    "windows", "bsd", "bsd-right", "old-linux", "linux", "old-solaris", "solaris", "hpux10", "hpux11", "irix",
    "macos", "vista", "windows2k3",
)  # fmt: skip


def _timeouts() -> Iterator[Key]:
    for group in ("default", "tcp", "udp", "icmp"):
        for state in _TIMEOUT_STATES:
            for prefix, when in (("", ""), ("emergency-", ", while the flow memory is used up")):
                if (state, prefix) == ("closed", "") or group in ("default", "tcp") or state != "closed":
                    yield _engine(
                        f"flow-timeouts.{group}.{prefix}{state}",
                        SECONDS,
                        f"Seconds of packet time after which a silent {state} flow ends{when}.",
                    )


def _eve() -> Iterator[Key]:
    entry = "outputs.[].eve-log"
    for name, kind, doc in (
        ("enabled", BOOL, "Write events as EVE JSON."),
        ("filetype", choice("regular"), "Where the events go; `regular` is a file."),
        ("filename", TEXT, LOG_NAME),
        ("version", whole(7, 8, 8), "The form of events; 7 leaves out what Suricata 8 added to them."),
        ("append", BOOL, "Add to an existing file instead of starting it anew."),
        ("community-id", BOOL, "Add the Community ID flow hash to every event."),
        ("community-id-seed", whole(0, 65535, 0), "The seed of the Community ID."),
        ("metadata", BOOL, "Add flowbits and other metadata to events."),
        ("pcap-file", BOOL, "Add the name of the capture file to every event."),
        ("ethernet", BOOL, "Add MAC addresses to every event."),
        ("xff.enabled", BOOL, "Take the client's address from an X-Forwarded-For header."),
        ("xff.mode", choice("extra-data", "overwrite"), "Add the address, or replace the packet's with it."),
        ("xff.deployment", choice("reverse", "forward"), "Use the last address of the header, or the first."),
        ("xff.header", TEXT, "The header that holds the addresses."),
    ):
        yield _engine(f"{entry}.{name}", kind, doc)
    yield _none(f"{entry}.suricata-version", "this is another program")
    yield _none(f"{entry}.threaded", "one writer suffices")
    yield _sensor(f"{entry}.rotate-interval", INTERVAL, ROTATE_INTERVAL)
    yield _none(f"{entry}.filemode", "the umask decides")
    yield _none(f"{entry}.prefix", "one JSON object a line, without a prefix")
    for name in ("identity", "facility", "level", "redis", "json", "buffer-size", "flush-interval"):
        yield _none(
            f"{entry}.{name}.**", "belongs to other file types than `regular`, or to Suricata's buffering"
        )
    for event_type, options in EVE_TYPES.items():
        for name, kind, doc in options:
            yield _engine(f"{entry}.types.[].{event_type}.{name}", kind, doc)


def _af_packet() -> Iterator[Key]:
    entry = "af-packet.[]"
    for name, kind, doc in (
        ("interface", TEXT, "An interface of live capture; `default`: what holds for those given with -i."),
        ("threads", TEXT, "Rings of the interface, each with a worker; `auto` (default): one a processor."),
        ("cluster-id", whole(0, 65535, 99), "Number of the fanout group; without it a free one is taken."),
        (
            "cluster-type",
            choice("cluster_pair", "cluster_flow", "cluster_qm", "cluster_cpu", "cluster_ebpf"),
            "What sends a packet to a ring: address pair (default), flow hash, queue, processor.",
        ),
        ("ring-memory", SIZE, "Memory of one ring; default 128 MiB, all rings at most 1/8 of the machine's."),
        ("ring-size", COUNT, "The same as packets of 1,600 bytes."),
        ("block-size", SIZE, "Size of a block of the ring, at least 128 KiB; default 1 MiB."),
        ("block-timeout", whole(1, 1000, 10), "Milliseconds after which an open block is handed over; 10."),
        ("bpf-filter", TEXT, "A capture filter in tcpdump's language, run in the kernel."),
        ("disable-promisc", BOOL, "Do not put the interface into promiscuous mode."),
    ):
        yield _sensor(f"{entry}.{name}", kind, doc)
    for name, why in (
        ("checksum-checks", "-k, or what the first thousand packets show"),
        ("use-mmap", "the ring is always mapped"),
        ("tpacket-v3", "the ring is always TPACKET_V3"),
        ("mmap-locked", "the kernel never pages a ring out"),
        ("defrag", "all fragments go to one worker; with cluster_flow the kernel joins them first"),
        ("use-emergency-flush", "the ring is never emptied unread"),
        ("buffer-size", "belongs to capture without a ring"),
        ("rollover", "it would tear flows apart"),
        ("copy-mode", "a sensor never transmits"),
        ("copy-iface", "a sensor never transmits"),
        ("bypass", "the kernel is not told of flows"),
        ("ebpf-lb-file", "the spread by address pair is built in"),
        ("ebpf-filter-file", "use bpf-filter or haidang.exclude"),
        ("xdp-mode", "capture is by packet sockets"),
        ("xdp-filter-file", "capture is by packet sockets"),
        ("xdp-cpu-redirect", "capture is by packet sockets"),
        ("pinned-maps", "capture is by packet sockets"),
        ("pinned-maps-name", "capture is by packet sockets"),
        ("no-percpu-hash", "capture is by packet sockets"),
        ("tpacket-v2", "the ring is always TPACKET_V3"),
    ):
        yield _none(f"{entry}.{name}", why)


def _file_store() -> Iterator[Key]:
    entry = "outputs.[].file-store"
    for name, kind, doc in (
        ("enabled", BOOL, "Store files that rules ask for (`filestore`)."),
        ("dir", TEXT, "Where they go, below default-log-dir unless absolute."),
        ("force-filestore", BOOL, "Store every file."),
        ("write-fileinfo", BOOL, "Write the fileinfo event of a stored file beside it."),
        ("force-hash", TEXTS, "Compute these digests of every file: md5, sha1, sha256."),
        ("force-magic", BOOL, "Recognise the type of every file by its content."),
        ("stream-depth", SIZE, "How far streams with a stored file are followed; 0 is to their end."),
        ("max-open-files", COUNT, "Files being written that are open at once; 0 is the built-in limit."),
    ):
        yield _engine(f"{entry}.{name}", kind, doc)
    yield _none(f"{entry}.version", "only version 2 exists")
    yield _none(f"{entry}.xff.**", "the address is in the event, not in the stored file")


def _protocols() -> Iterator[Key]:
    entry = "app-layer.protocols"
    yield _engine(
        f"{entry}.*.enabled", PROTOCOL_SWITCH, "Recognise and parse this protocol; or only recognise it."
    )
    for transport in ("tcp", "udp"):
        yield _engine(
            f"{entry}.*.{transport}.enabled", PROTOCOL_SWITCH, f"The same, over {transport.upper()} only."
        )
    for part in ("", "tcp.", "udp."):
        for end, meaning in (("dp", "destination"), ("sp", "source")):
            yield _engine(
                f"{entry}.*.{part}detection-ports.{end}",
                PORT,
                f"Try this protocol first on these {meaning} ports.",
            )
    yield _engine(
        f"{entry}.*.stream-depth", SIZE, "Bytes of each direction to reassemble for it; 0 is no limit."
    )
    for name, kind, doc in (
        ("max-tx", COUNT, "Open transactions of one flow; more raise an event."),
        ("tls.ja3-fingerprints", YES_NO_AUTO, "Compute JA3; `auto` does so when a rule or a log wants it."),
        ("tls.ja4-fingerprints", YES_NO_AUTO, "Compute JA4; `auto` does so when a rule or a log wants it."),
        (
            "tls.encryption-handling",
            choice("track-only", "bypass", "full", "default"),
            "What happens to a flow once it is encrypted.",
        ),
        ("ssh.hassh", YES_NO_AUTO, "Compute HASSH; `auto` does so when a rule wants it."),
        ("quic.ja3-fingerprints", YES_NO_AUTO, "Compute JA3 of QUIC."),
        ("quic.ja4-fingerprints", YES_NO_AUTO, "Compute JA4 of QUIC."),
    ):
        yield _engine(f"{entry}.{name if '.' in name else '*.' + name}", kind, doc)
    for section in ("default-config", "server-config.[].*"):
        yield from _libhtp(f"{entry}.http.libhtp.{section}")
    yield _engine(f"{entry}.http.byterange.memcap", SIZE, "Memory for files that are fetched by ranges.")
    yield _engine(
        f"{entry}.http.byterange.timeout", SECONDS, "Seconds of packet time to wait for more of one."
    )
    yield _none(f"{entry}.http.memcap", "HTTP is held within the flow and stream memory")
    for name in (
        "smtp",
        "mqtt",
        "enip",
        "dcerpc",
        "smb",
        "ftp",
        "http2",
        "dns",
        "sip",
        "rfb",
        "modbus",
        "telnet",
    ):
        yield _engine(f"{entry}.{name}.**", GUESS, f"Further options of {name}, where this build parses it.")
    yield _engine("app-layer.error-policy", POLICY, "What to do with a flow whose parser gave up.")


def _libhtp(entry: str) -> Iterator[Key]:
    for name, kind, doc in (
        ("personality", TEXT, "How the server reads URLs and headers (IDS, Apache_2, IIS_7_5...)."),
        ("request-body-limit", SIZE, "Bytes of a request body to inspect; 0 is no limit."),
        ("response-body-limit", SIZE, "Bytes of a response body to inspect; 0 is no limit."),
        (
            "request-body-minimal-inspect-size",
            SIZE,
            "Wait for so much of a request body before inspecting it.",
        ),
        ("request-body-inspect-window", SIZE, "Look back so far when a request body is inspected in parts."),
        (
            "response-body-minimal-inspect-size",
            SIZE,
            "Wait for so much of a response body before inspecting it.",
        ),
        (
            "response-body-inspect-window",
            SIZE,
            "Look back so far when a response body is inspected in parts.",
        ),
        ("response-body-decompress-layer-limit", whole(0, 8, 2), "Compressions upon compressions to undo."),
        ("http-body-inline", YES_NO_AUTO, "Inspect bodies as they come, as an inline sensor would."),
        ("double-decode-path", BOOL, "Undo percent-encoding in paths twice."),
        ("double-decode-query", BOOL, "Undo percent-encoding in queries twice."),
        ("uri-include-all", BOOL, "Let http.uri hold scheme, user, host and port too."),
        ("meta-field-limit", SIZE, "The longest request line or header field."),
        ("compression-bomb-limit", SIZE, "The most one body may inflate to."),
        ("decompression-time-limit", COUNT, "Microseconds one body may take to inflate."),
        ("max-tx", COUNT, "Open transactions of one flow; more raise an event."),
        ("lzma-enabled", BOOL, "Undo LZMA too."),
        ("address", TEXTS, "The servers these settings are for."),
    ):
        yield _engine(f"{entry}.{name}", kind, doc)
    yield _none(f"{entry}.swf-decompression.**", "Flash has gone")
    yield _none(f"{entry}.randomize-inspection-sizes", "a replay gives the same alerts every time")
    yield _none(f"{entry}.randomize-inspection-range", "a replay gives the same alerts every time")
    for name in ("lzma-memlimit", "headers-limit", "path-*", "uri-*", "query-*", "http-body-*", "decoder-*"):
        yield _none(f"{entry}.{name}", "fixed in this build")


def _stream() -> Iterator[Key]:
    for name, kind, doc in (
        ("memcap", SIZE, "Memory for TCP sessions."),
        ("midstream", BOOL, "Follow sessions whose beginning was not seen."),
        ("async-oneside", BOOL, "Follow sessions of which only one side is seen."),
        (
            "midstream-policy",
            POLICY,
            "What to do with a flow picked up midstream; to a passive sensor drop-* and reject are `ignore`.",
        ),
        ("checksum-validation", BOOL, "Leave out segments whose checksum is wrong. -k overrides it."),
        ("drop-invalid", BOOL, "Mark packets the state machine refuses, in inline mode."),
        ("bypass", BOOL, "Stop looking at a flow once its stream depth is reached."),
        ("max-synack-queued", whole(0, 255, 5), "Different SYN/ACKs to remember for one SYN."),
        ("max-syn-queued", whole(0, 255, 10), "Different SYNs to remember for one session."),
        ("inline", YES_NO_AUTO, "Inspect data as an inline sensor would, before it is acknowledged."),
        ("liberal-timestamps", BOOL, "Accept timestamps that RFC 7323 would refuse."),
        ("reassembly.memcap", SIZE, "Memory for TCP data waiting to be put in order."),
        ("reassembly.depth", SIZE, "Bytes of each direction to reassemble; 0 is no limit."),
        ("reassembly.toserver-chunk-size", SIZE, "Inspect raw data to the server in pieces of this size."),
        ("reassembly.toclient-chunk-size", SIZE, "Inspect raw data to the client in pieces of this size."),
        ("reassembly.randomize-chunk-size", BOOL, "Vary those sizes, so that they cannot be guessed."),
        ("reassembly.randomize-chunk-range", whole(0, 100, 10), "Vary them by up to so many percent."),
        ("reassembly.raw", BOOL, "Inspect raw stream data at all."),
        ("reassembly.check-overlap-different-data", BOOL, "Raise an event when an overlap holds other data."),
        (
            "reassembly.max-regions",
            COUNT,
            "Gaps in one direction before the rest is left out; 0 is no limit.",
        ),
        ("reassembly.urgent.policy", choice("oob", "inline", "drop", "gap"), "What happens to urgent data."),
        ("reassembly.urgent.oob-limit-policy", choice("drop", "inline", "gap"), "The same, past its limit."),
    ):
        yield _engine(f"stream.{name}", kind, doc)
    yield _engine(
        "stream.memcap-policy", POLICY, "What to do with a flow for whose session there is no memory."
    )
    yield _engine("stream.reassembly.memcap-policy", POLICY, "The same for data waiting to be put in order.")
    for name in ("prealloc-sessions", "reassembly.segment-prealloc", "reassembly.chunk-prealloc"):
        yield _none(f"stream.{name}", "tables grow as needed")


def _decoder() -> Iterator[Key]:
    for tunnel in ("teredo", "vxlan", "geneve"):
        yield _engine(f"decoder.{tunnel}.enabled", BOOL, f"Look inside {tunnel.upper()} tunnels.")
        yield _engine(f"decoder.{tunnel}.ports", PORT, "On these UDP ports: one, a list, or any.")
    yield _engine(
        "decoder.vxlan.reserved-bits-check", choice("strict", "permissive"), "Heed VXLAN's reserved bits."
    )
    yield _engine("decoder.max-layers", whole(1, 64, 16), "Headers within headers to follow.")
    yield _engine("decoder.erspan.typeI.enabled", BOOL, "Look inside ERSPAN type I.")
    yield _engine(
        "decoder.recursion-level.use-for-tracking", BOOL, "Keep flows inside and outside a tunnel apart."
    )


KEYS: tuple[Key, ...] = (
    _sensor("suricata-version", TEXT, "The Suricata version a configuration was written for; noted only."),
    _sensor("sensor-name", TEXT, "The name of this sensor, in every event."),
    _engine("default-data-dir", TEXT, "Where data sets and other state are kept; --data-dir overrides it."),
    _sensor("default-log-dir", TEXT, "Where output files go; -l overrides it."),
    _sensor("vars.address-groups.*", TEXT, "Addresses that rules name with `$`."),
    _sensor("vars.port-groups.*", TEXT, "Ports that rules name with `$`."),
    _engine("magic-file", TEXT, "The compiled database of libmagic; without it: the system's."),
    _engine("default-rule-path", TEXT, "Where rule files with relative names are."),
    _sensor("rule-files", TEXTS, "Rule files; `*` and `?` are wild. Without it: the shipped rules."),
    _sensor("classification-file", TEXT, "What each classtype means and its priority."),
    _sensor("reference-config-file", TEXT, "What each kind of reference stands for."),
    _sensor("threshold-file", TEXT, "Thresholds, suppressions and rate filters by signature."),
    _sensor("pcap-file.checksum-checks", YES_NO_AUTO, "Checksums in captures; `auto` finds offload."),
    _sensor("stats.enabled", BOOL, "Write stats events."),
    _engine("stats.interval", SECONDS, "Seconds of packet time between them."),
    _engine("stats.decoder-events", BOOL, "Count decoder events in them."),
    _engine("stats.decoder-events-prefix", TEXT, "The name those counters begin with."),
    _engine("stats.stream-events", BOOL, "Count stream events in them."),
    _sensor("outputs.[].fast.enabled", BOOL, "Write one line per alert, in the form of fast.log."),
    _sensor("outputs.[].fast.filename", TEXT, LOG_NAME),
    _sensor("outputs.[].fast.append", BOOL, "Add to an existing file instead of starting it anew."),
    _sensor("outputs.[].fast.rotate-interval", INTERVAL, ROTATE_INTERVAL),
    _none("outputs.[].fast.filetype", "fast.log is a file"),
    _sensor("outputs.[].stdout.enabled", BOOL, "Write every event to standard output."),
    *_eve(),
    *_file_store(),
    *(
        _none(f"outputs.[].{name}.**", "an output this build does not have")
        for name in (
            "http-log", "tls-log", "tls-store", "pcap-log", "alert-debug", "alert-prelude", "stats", "syslog",
            "drop", "file-log", "tcp-data", "http-body-data", "lua", "dns-log",
            "pcap-info", "unified2-alert",
        )
    ),
    *_protocols(),
    *_stream(),
    *(
        _engine(f"defrag.{name}", kind, doc)
        for name, kind, doc in (
            ("memcap", SIZE, "Memory for packets waiting for their fragments."),
            ("trackers", COUNT, "Fragmented packets to follow at once."),
            ("max-frags", COUNT, "Fragments to hold at once."),
            ("timeout", SECONDS, "Seconds of packet time to wait for the missing fragments."),
        )
    ),
    _engine("defrag.host-config.**", GUESS, "Timeouts by address."),
    _none("defrag.hash-size", "tables grow as needed"),
    _none("defrag.prealloc", "tables grow as needed"),
    _none("defrag.memcap-policy", "a passive sensor drops nothing"),
    _engine("flow.memcap", SIZE, "Memory for flows; past it the oldest end early, counted."),
    _engine("flow.emergency-recovery", whole(0, 100, 30), "Percent to be free before an emergency ends."),
    _engine("flow.end-flows", BOOL, "Write flow events for what is open when the capture ends."),
    _none("flow.hash-size", "tables grow as needed"),
    _none("flow.prealloc", "tables grow as needed"),
    _none("flow.memcap-policy", "a passive sensor drops nothing"),
    _none("flow.managers", "each worker looks after its own flows"),
    _none("flow.recyclers", "each worker looks after its own flows"),
    _none("flow.rate-tracking.**", "elephant flows are not marked"),
    *_timeouts(),
    *(_engine(f"host-os-policy.{name}", TEXTS, f"Hosts that reassemble as {name}.") for name in _OS_NAMES),
    _engine("vlan.use-for-tracking", BOOL, "Keep the same addresses in different VLANs apart."),
    *_decoder(),
    _engine("pcre.match-limit", COUNT, "Steps one regular expression may take."),
    _engine("pcre.match-limit-recursion", COUNT, "How deep one regular expression may go back."),
    _engine("packet-alert-max", whole(0, 255, 15), "Alerts one packet may raise; 0 is the default."),
    _engine("detect.profile", choice("low", "medium", "high", "custom"), "How finely rules are grouped."),
    _engine("detect.inspection-recursion-limit", COUNT, "Retries of one rule's contents on one buffer."),
    _engine("detect.stream-tx-log-limit", COUNT, "Transactions to log when only stream rules matched."),
    _engine("detect.guess-applayer-tx", BOOL, "Log the only open transaction with a packet alert."),
    _none("detect.**", "grouping and its reports are the engine's own"),
    _engine("asn1-max-frames", COUNT, "Elements of ASN.1 to look at."),
    _engine("reputation-categories-file", TEXT, "Categories of `iprep`; a line: number,name,description."),
    _engine("default-reputation-path", TEXT, "Where reputation files with relative names are."),
    _engine("reputation-files", TEXTS, "Scores for `iprep`; a line: address or network,category,score."),
    _engine("geoip-database", TEXT, "The MaxMind DB file that `geoip` looks addresses up in."),
    _engine("security.lua.allow-rules", BOOL, "Rules may run scripts (`lua`, `luaxform`); off."),
    _engine("security.lua.max-bytes", SIZE, "Memory of one script in one worker; 500,000 bytes."),
    _engine("security.lua.max-instructions", COUNT, "Instructions of one call of a script; 500,000."),
    _engine("security.lua.allow-restricted-functions", BOOL, "Scripts may open files, start programs; off."),
    _engine("datasets.**", GUESS, "Sets that rules look up with `dataset`."),
    _engine("legacy.uricontent", choice("enabled", "disabled"), "Accept the keyword uricontent."),
    _engine(
        "exception-policy",
        POLICY,
        "What to do in distress; to a passive sensor drop-* and reject are `ignore`.",
    ),
    *_af_packet(),
    _sensor(
        "unix-command.enabled",
        YES_NO_AUTO,
        "A command socket of live capture; `auto`: in /run/haidang, where that exists.",
    ),
    _sensor("unix-command.filename", TEXT, "Its path, with `enabled: yes`."),
    _engine("haidang.stage-times", BOOL, "Measure the stages of the line: counters stage_ns; off."),
    _sensor("haidang.rule-cache.enabled", BOOL, "Keep compiled rules for the next start; on."),
    _sensor("haidang.rule-cache.directory", TEXT, "Where; without it: rule-cache in default-data-dir."),
    _sensor("haidang.exclude.networks", TEXTS, "Networks that live capture must never look at."),
    _sensor("haidang.exclude.vlans", TEXTS, "VLANs, by number, that live capture must never look at."),
    _sensor(
        "haidang.commissioning.required",
        TEXTS,
        "Checks of which a warning, too, keeps a sensor out of service; none. A failure always does.",
    ),
    _sensor("haidang.commissioning.interval", SECONDS, "Seconds between two looks at the checks; 30."),
    _sensor(
        "haidang.commissioning.silence",
        SECONDS,
        "Seconds without a packet on an interface after which a sensor in service is degraded; 300.",
    ),
    _sensor("haidang.logs.rotate-size", SIZE, "Live: a log of this size is moved aside; 1 GiB, 0 for never."),
    _sensor(
        "haidang.logs.total",
        SIZE,
        "Live: logs and stored files together; the oldest go first. Without it: no bound.",
    ),
    _sensor(
        "haidang.logs.keep-free",
        whole(0, 90, 5),
        "Live: percent of the file system that are kept free, by deleting the oldest; 5.",
    ),
    _sensor(
        "haidang.memory.limit",
        SIZE,
        "Live: memory of the process near which work is left out; 90 % of what there is, 0 for no limit.",
    ),
    _sensor(
        "haidang.heartbeat.interval",
        SECONDS,
        "Seconds between two packets that a sensor sends itself to prove its line; 60, 0 for none.",
    ),
    _sensor("haidang.seccomp.enabled", YES_NO_AUTO, "Live: refuse unexpected system calls once all is open."),
    _sensor(
        "security.landlock.enabled",
        YES_NO_AUTO,
        "Live: refuse files that are not needed once all is open; `auto` (default): where the kernel can.",
    ),
    _sensor("security.landlock.directories.read", TEXTS, "Further folders and files to read."),
    _sensor("security.landlock.directories.write", TEXTS, "Further folders and files to write."),
    _sensor(
        "haidang.rules-publisher",
        TEXT,
        "A publisher's public key (publisher.pub): only its bundles are loaded, each file as it was signed.",
    ),
    _sensor("haidang.**", GUESS, "What Suricata has no name for: the sensor's bus and centre."),
    *(
        _none(f"{section}.**", "how Suricata runs itself")
        for section in (
            "plugins", "logging", "threading", "luajit", "lua", "profiling", "engine-analysis",
            "coredump", "security", "run-as", "pid-file", "daemon-directory", "umask",
            "runmode", "autofp-scheduler", "max-pending-packets", "default-packet-size", "host-mode",
            "mpm-algo", "spm-algo",
            "sensor-id", "heartbeat", "systemd", "firewall", "detect-engine", "sigusr2-live-rule-reload",
        )
    ),
    _none("af-xdp.**", "af-packet costs less than AF_XDP in copy mode (docs/adr/0010)"),
    *(
        _none(f"{section}.**", "a way to capture that this build does not have")
        for section in (
            "dpdk", "pcap", "nfq", "nflog", "netmap", "pfring", "ipfw", "napatech", "capture",
            "livedev", "erf-dag", "endace-dag", "windivert", "mpipe", "cuda", "default-interface",
            "pcap-file",
        )
    ),
    *(
        _none(f"{section}.**", "tables by host are bounded within the engine")
        for section in ("host", "ippair")
    ),
)  # fmt: skip

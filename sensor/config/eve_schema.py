"""The event types of `outputs.eve-log.types` and their options, as data: (option, kind, what it does).

The names are those of Suricata. An option that is not given means what EVE_DEFAULTS says, else no.
"""

from __future__ import annotations

from sensor.config.reading import Value
from sensor.config.values import BOOL, GUESS, SIZE, TEXTS, Json, Kind, choice, guess, whole

Option = tuple[str, Kind, str]


def _bool_or_section(value: Value) -> Json:
    # `metadata: yes` and `metadata: {flow: no}` are both usual.
    return guess(value)


_METADATA = Kind("yes \\| no or section", _bool_or_section, "yes")
_ENABLED: Option = ("enabled", BOOL, "Write these events.")
_EXTENDED: Option = ("extended", BOOL, "Write the longer form.")
_CUSTOM: Option = ("custom", TEXTS, "Write these fields, beside the usual ones.")
_XFF: tuple[Option, ...] = (
    ("xff.enabled", BOOL, "Take the client's address from an X-Forwarded-For header."),
    ("xff.mode", choice("extra-data", "overwrite"), "Add the address, or replace the packet's with it."),
    ("xff.deployment", choice("reverse", "forward"), "Use the last address of the header, or the first."),
    ("xff.header", Kind("text", guess, "X-Forwarded-For"), "The header that holds the addresses."),
)

EVE_TYPES: dict[str, tuple[Option, ...]] = {
    "alert": (
        _ENABLED,
        ("payload", BOOL, "Write the payload in base64."),
        ("payload-printable", BOOL, "Write the payload with dots for what cannot be printed."),
        ("payload-buffer-size", SIZE, "The most of a stream's payload to write."),
        ("payload-length", BOOL, "Write how long the payload is."),
        ("packet", BOOL, "Write the packet in base64."),
        ("metadata", _METADATA, "Write app-layer and flow records along."),
        ("http-body", BOOL, "Write HTTP bodies in base64."),
        ("http-body-printable", BOOL, "Write HTTP bodies with dots for what cannot be printed."),
        ("websocket-payload", BOOL, "Write WebSocket payloads in base64."),
        ("websocket-payload-printable", BOOL, "Write WebSocket payloads with dots."),
        ("tagged-packets", BOOL, "Write packets tagged by `tag`."),
        ("verdict", BOOL, "Write what an inline sensor would have done."),
        *_XFF,
    ),
    "frame": (_ENABLED, ("payload-buffer-size", SIZE, "The most of a frame to write.")),
    "anomaly": (
        _ENABLED,
        ("types.decode", BOOL, "Oddities of headers."),
        ("types.stream", BOOL, "Oddities of TCP."),
        ("types.applayer", BOOL, "Oddities of application protocols."),
        ("packethdr", BOOL, "Write the packet's headers in base64."),
    ),
    "http": (
        _ENABLED,
        _EXTENDED,
        _CUSTOM,
        ("dump-all-headers", choice("none", "both", "request", "response"), "Write every header."),
        *_XFF,
    ),
    "dns": (
        _ENABLED,
        ("version", whole(1, 3, 3), "The form of the record; 3 is the current one."),
        ("requests", BOOL, "Write requests."),
        ("responses", BOOL, "Write responses."),
        ("formats", TEXTS, "`detailed`, `grouped`, or both."),
        ("types", TEXTS, "Only these record types."),
    ),
    "tls": (
        _ENABLED,
        _EXTENDED,
        _CUSTOM,
        ("session-resumption", BOOL, "Write resumed sessions too."),
        ("ja4", BOOL, "Write JA4."),
    ),
    "files": (
        _ENABLED,
        ("force-magic", BOOL, "Recognise the type of every file by its content."),
        ("force-hash", TEXTS, "Compute these digests of every file: md5, sha1, sha256."),
        *_XFF,
    ),
    "drop": (
        _ENABLED,
        ("alerts", BOOL, "Write the alerts that caused the drop."),
        ("flows", choice("all", "start"), "Every packet of a flow, or the first."),
        ("verdict", BOOL, "Write what an inline sensor would have done."),
    ),
    "smtp": (
        _ENABLED,
        _EXTENDED,
        _CUSTOM,
        ("md5", TEXTS, "Write digests of `body` or `subject`."),
    ),
    "dhcp": (_ENABLED, _EXTENDED),
    "mqtt": (
        _ENABLED,
        ("passwords", BOOL, "Write passwords."),
        ("string-log-limit", SIZE, "The most of a message to write."),
    ),
    "pgsql": (_ENABLED, ("passwords", BOOL, "Write passwords.")),
    "stats": (
        _ENABLED,
        ("totals", BOOL, "The sum over all workers."),
        ("threads", BOOL, "Each worker apart."),
        ("deltas", BOOL, "What was added since the last time."),
        ("null-values", BOOL, "Counters that are 0 too."),
    ),
    "ssh": (_ENABLED, ("hassh", BOOL, "Write HASSH.")),
    "netflow": (_ENABLED,),
    "flow": (_ENABLED,),
    **dict.fromkeys(
        (
            "metadata", "ftp", "ftp-data", "rdp", "nfs", "smb", "tftp", "ike", "dcerpc", "krb5",
            "bittorrent-dht", "snmp", "rfb", "sip", "quic", "http2", "doh2", "mdns", "websocket", "ldap",
            "pop3", "arp", "modbus", "dnp3", "enip", "telnet", "template",
        ),
        (_ENABLED, ("**", GUESS, "Further options of this type, where this build writes it.")),
    ),
}  # fmt: skip

EVE_DEFAULTS: dict[str, dict[str, Json]] = {
    "alert": {"metadata": True, "tagged-packets": True, "payload-buffer-size": 4096},
    "anomaly": {"types": {"decode": False, "stream": False, "applayer": True}},
    "dns": {"requests": True, "responses": True},
    "stats": {"totals": True, "threads": False, "deltas": False},
}
"""What an option means when it is not given, where that is not `no`."""

"""`python -m pcaps.make [FOLDER]`: make every capture and the manifest, by default into `pcaps/`."""

import hashlib
import sys
from pathlib import Path

from . import (
    dns,
    file_transfer,
    headers,
    http2,
    icmp,
    industrial,
    infrastructure,
    iot,
    links,
    mail,
    malware,
    neighbours,
    quic,
    remote,
    services,
    smb,
    stream,
    tls,
    web,
    web_attacks,
)
from .wire import pcap, pcapng

SCRIPTS = (
    web,
    http2,
    web_attacks,
    malware,
    dns,
    tls,
    services,
    infrastructure,
    remote,
    icmp,
    headers,
    stream,
    links,
    mail,
    file_transfer,
    smb,
    iot,
    industrial,
    neighbours,
    quic,
)

HEADER = """\
# Written by `python -m pcaps.make`; change the script, not this file.
licence = "Apache-2.0"
"""

ENTRY = """
["{name}"]
origin = "{origin}"
shows = "{shows}"
packets = {packets}
sha256 = "{digest}"
"""


def make(folder: Path) -> None:
    """Write every capture and MANIFEST.toml into `folder`; captures no script makes any more are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = [HEADER]
    names = set()
    for script in SCRIPTS:
        origin = f"make/{script.__name__.rpartition('.')[2]}.py"
        for name, (shows, build) in script.CAPTURES.items():
            records = build().records
            data = (pcapng if name.endswith(".pcapng") else pcap)(records)
            (folder / name).write_bytes(data)
            names.add(name)
            digest = hashlib.sha256(data).hexdigest()
            manifest.append(
                ENTRY.format(name=name, origin=origin, shows=shows, packets=len(records), digest=digest)
            )
    for stale in folder.glob("*.pcap*"):
        if stale.name not in names:
            stale.unlink()
    (folder / "MANIFEST.toml").write_text("".join(manifest))


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1])

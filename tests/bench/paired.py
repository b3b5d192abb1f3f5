"""Paired benchmark: Suricata and Hải Đăng in turn on the same captures and rules.

    python tests/bench/paired.py --pcap FILE… --rules FILE… [--runs N] [--json FILE] [--ours "CMD"]

For each sensor and run: CPU seconds (user + sys) of the process until it opens the capture (start-up), and
from there to its end (the packets alone, output included). Sensors alternate, so that a drift of the machine
hits both. At the end the alert sets are compared as `sensor.desk.alerts` does, the difference by rule.

Exit code: 0 when the ratio of medians (ours / Suricata, CPU seconds per packet) is at most --limit, 1 when it
is above, 2 when something could not be run.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sensor.desk.alerts import Alerts, Comparison, alerts_of

ROOT = Path(__file__).resolve().parents[2]
POLL_SECONDS = 0.002
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

# Suricata with every kind of event that its stock configuration writes, PostgreSQL too.
SURICATA_YAML = """%YAML 1.1
---
vars:
  address-groups:
    HOME_NET: "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]"
    EXTERNAL_NET: "!$HOME_NET"
    HTTP_SERVERS: "$HOME_NET"
    SMTP_SERVERS: "$HOME_NET"
    SQL_SERVERS: "$HOME_NET"
    DNS_SERVERS: "$HOME_NET"
    TELNET_SERVERS: "$HOME_NET"
    AIM_SERVERS: "$EXTERNAL_NET"
    DC_SERVERS: "$HOME_NET"
    DNP3_SERVER: "$HOME_NET"
    DNP3_CLIENT: "$HOME_NET"
    MODBUS_CLIENT: "$HOME_NET"
    MODBUS_SERVER: "$HOME_NET"
    ENIP_CLIENT: "$HOME_NET"
    ENIP_SERVER: "$HOME_NET"
  port-groups:
    HTTP_PORTS: "80"
    SHELLCODE_PORTS: "!80"
    ORACLE_PORTS: 1521
    SSH_PORTS: 22
    DNP3_PORTS: 20000
    MODBUS_PORTS: 502
    FILE_DATA_PORTS: "[$HTTP_PORTS,110,143]"
    FTP_PORTS: 21
    GENEVE_PORTS: 6081
    VXLAN_PORTS: 4789
    TEREDO_PORTS: 3544
outputs:
  - fast: {enabled: yes, filename: fast.log, append: yes}
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve.json
      types:
        - alert
        - anomaly
        - http: {extended: yes}
        - dns
        - tls: {extended: yes}
        - files
        - smtp
        - ftp
        - rdp
        - nfs
        - smb
        - tftp
        - ike
        - dcerpc
        - krb5
        - bittorrent-dht
        - snmp
        - rfb
        - sip
        - quic
        - dhcp
        - ssh
        - mqtt
        - http2
        - pgsql
        - stats
        - flow
"""


@dataclass
class Run:
    """One process: CPU seconds of start-up and of the packets, wall seconds, peak memory in bytes."""

    startup_seconds: float
    packet_seconds: float
    wall_seconds: float
    peak_bytes: int


@dataclass
class Sensor:
    """A sensor's command with {pcap}, {rules_args}, {out} and {conf}, and what was measured."""

    name: str
    command: str
    runs: list[Run] = field(default_factory=list)


def cpu_seconds(pid: int) -> float:
    """User and system time of a running process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def has_open(pid: int, path: Path) -> bool:
    """Whether the process has the file open."""
    try:
        return any(fd.resolve() == path for fd in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def measure(command: list[str], capture: Path, log: Path) -> Run:
    """Runs a command to its end; raises RuntimeError with the tail of its output when it fails.

    A sensor may look into the capture before it loads rules; what counts is the last time it opens it.
    """
    with log.open("wb") as out:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        startup, was_open = 0.0, False
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            now_open = has_open(process.pid, capture)
            if now_open and not was_open:
                startup = cpu_seconds(process.pid)
            was_open = now_open
            time.sleep(POLL_SECONDS)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - started
    if process.returncode:
        tail = log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{shlex.join(command)} ended with {process.returncode}:\n{tail}")
    total = usage.ru_utime + usage.ru_stime
    return Run(startup, total - startup, wall, usage.ru_maxrss * 1024)


def packets_in(paths: list[Path]) -> int:
    """Packets in classic pcap files (headers are walked, not dissected)."""
    count = 0
    for path in paths:
        data = path.read_bytes()
        order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
        at = 24
        while at + 16 <= len(data):
            (length,) = struct.unpack_from(order + "I", data, at + 8)
            at += 16 + length
            count += 1
    return count


def alert_set(eve: Path) -> Alerts:
    """The alerts of one eve file."""
    with eve.open(encoding="utf-8") as lines:
        return alerts_of((line for line in lines if '"event_type":"alert"' in line), "")


def fill(command: str, pcap: Path, rules: Path, out: Path, conf: Path) -> list[str]:
    """The command's words with its placeholders filled in."""
    words: list[str] = []
    for word in shlex.split(command):
        if word == "{rules_args}":
            words += ["-S", str(rules)]
        else:
            words.append(
                word.replace("{out}", str(out)).replace("{conf}", str(conf)).replace("{pcap}", str(pcap))
            )
    return words


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pcap", type=Path, required=True, help="the capture (classic pcap)")
    parser.add_argument("--rules", type=Path, required=True, help="the rule file")
    parser.add_argument("--runs", type=int, default=3, help="pairs of runs (default 3)")
    parser.add_argument(
        "--limit", type=float, default=1.0, help="the largest ratio that passes (default 1.0)"
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--keep", type=Path, help="keep both sensors' last output in this folder")
    parser.add_argument("--checksums", default="none", choices=("none", "all"), help="-k of both sensors")
    haidang = shutil.which("haidang", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    parser.add_argument("--ours", default=f"{haidang} replay {{pcap}} {{rules_args}} -l {{out}}")
    args = parser.parse_args()
    args.pcap = args.pcap.resolve()
    for needed, what in (
        (args.pcap.is_file(), args.pcap),
        (args.rules.is_file(), args.rules),
        (haidang, "haidang"),
    ):
        if not needed:
            print(f"bench: {what} is not there", file=sys.stderr)
            return 2
    if not shutil.which("suricata"):
        print(
            "bench: suricata is not installed (apt-get install -t bookworm-backports suricata)",
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory(prefix="haidang-bench-") as folder:
        return bench(args, Path(folder))


def bench(args: argparse.Namespace, folder: Path) -> int:
    """Runs the pairs and prints the report."""
    conf = folder / "suricata.yaml"
    classification = ROOT / "rules" / "classification.config"
    reference = ROOT / "rules" / "reference.config"
    conf.write_text(
        SURICATA_YAML + f"classification-file: {classification}\nreference-config-file: {reference}\n"
    )
    sensors = [
        Sensor("haidang", f"{args.ours} -k {args.checksums}"),
        Sensor(
            "suricata",
            "suricata --runmode single -c {conf} -r {pcap} {rules_args} -l {out} " + f"-k {args.checksums}",
        ),
    ]
    packets = packets_in([args.pcap])
    print(f"{args.pcap.name}: {packets} packets; rules: {args.rules.name}; {args.runs} pairs", flush=True)
    outputs = {sensor.name: (args.keep or folder) / sensor.name for sensor in sensors}
    try:
        for number in range(args.runs):
            for sensor in sensors:
                out = outputs[sensor.name]
                shutil.rmtree(out, ignore_errors=True)
                out.mkdir(parents=True)
                command = fill(sensor.command, args.pcap, args.rules, out, conf)
                run = measure(command, args.pcap, out / "console.txt")
                sensor.runs.append(run)
                print(
                    f"  pair {number + 1} {sensor.name:9} start-up {run.startup_seconds:7.2f} s, "
                    f"packets {run.packet_seconds:7.2f} s CPU",
                    flush=True,
                )
    except RuntimeError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(
        f"\n{'':10} {'packets s':>10} {'us/packet':>10} {'packets/s':>10} {'start-up s':>10} {'peak MiB':>9}"
    )
    medians: dict[str, float] = {}
    for sensor in sensors:
        cost = statistics.median(r.packet_seconds for r in sensor.runs)
        medians[sensor.name] = cost
        start = statistics.median(r.startup_seconds for r in sensor.runs)
        peak = max(r.peak_bytes for r in sensor.runs) / 2**20
        print(
            f"{sensor.name:10} {cost:10.2f} {cost / packets * 1e6:10.2f} {packets / max(cost, 1e-9):10.0f} "
            f"{start:10.2f} {peak:9.0f}"
        )
    costs = ([r.packet_seconds for r in s.runs] for s in sensors)
    pairs = [ours / theirs for ours, theirs in zip(*costs, strict=True)]
    ratio = medians["haidang"] / medians["suricata"]
    print(
        f"\nratio ours / Suricata, CPU per packet: {ratio:.3f} (pairs {min(pairs):.3f} .. {max(pairs):.3f})"
    )
    alerts = Comparison(*(alert_set(outputs[s.name] / "eve.json") for s in sensors))
    print(alerts.report(worst=40))
    if args.json:
        figures = {
            "pcap": args.pcap.name,
            "rules": args.rules.name,
            "packets": packets,
            "ratio": ratio,
            "alerts": {
                "recall": alerts.recall,
                "precision": alerts.precision,
                "in_both": alerts.in_both,
            },
            "sensors": [asdict(s) for s in sensors],
        }
        args.json.write_text(json.dumps(figures, indent=1))
    return 0 if ratio <= args.limit else 1


if __name__ == "__main__":
    sys.exit(main())

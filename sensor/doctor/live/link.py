"""The card and its link."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from sensor.doctor import machine as card
from sensor.doctor.check import OK, LiveCheck, Result, skipped
from sensor.doctor.machine import Machine

_NOT_TOLD = ("the driver does not tell (SIOCETHTOOL)", "trình điều khiển không cho biết (SIOCETHTOOL)")
_PROMISCUOUS = 0x100  # IFF_PROMISC


class Carrier(LiveCheck):
    name = "link"
    doc = ("the interface is down or has no carrier", "giao diện tắt hoặc không có tín hiệu")
    evidence = (
        "{interface}: state {state}, carrier {carrier}",
        "{interface}: trạng thái {state}, tín hiệu {carrier}",
    )
    remedy = (
        "`ip link set dev {interface} up`; without carrier look at cable, transceiver and the switch's port",
        "`ip link set dev {interface} up`; nếu không có tín hiệu, xem cáp, module quang và cổng switch",
    )
    explains = ("drops",)

    def look(self, machine: Machine) -> Result:
        state, carrier = machine.of_card("operstate"), machine.of_card("carrier")
        numbers = {"interface": machine.interface, "state": state or "?", "carrier": carrier or "0"}
        return OK if carrier == "1" else Result("fail", numbers)


class Offloads(LiveCheck):
    name = "offloads"
    doc = ("the card or the kernel joins packets", "card hoặc nhân ghép các gói")
    evidence = ("{interface}: on are {on}", "{interface}: đang bật {on}")
    remedy = (
        "`ethtool -K {interface} gro off lro off tso off gso off`",
        "`ethtool -K {interface} gro off lro off tso off gso off`",
    )

    def _on(self, machine: Machine) -> list[str] | None:
        asked = {"gro": card.GGRO, "tso": card.GTSO, "gso": card.GGSO}
        states = {name: machine.switch(command) for name, command in asked.items()}
        flags = machine.switch(card.GFLAGS)
        if all(state is None for state in (*states.values(), flags)):
            return None
        on = [name for name, state in states.items() if state]
        return on + ["lro"] * bool(flags and flags & card.FLAG_LRO)

    def look(self, machine: Machine) -> Result:
        on = self._on(machine)
        if on is None:
            return skipped(*_NOT_TOLD)
        return Result("warn", {"interface": machine.interface, "on": ", ".join(on)}) if on else OK

    def fix(self, machine: Machine) -> list[list[str]]:
        return [["ethtool", "-K", machine.interface, name, "off"] for name in self._on(machine) or []]


class Ring(LiveCheck):
    name = "ring"
    doc = ("the card's receive ring is smaller than it can be", "vòng đệm nhận của card nhỏ hơn mức có thể")
    evidence = ("{interface}: {now} of {most} descriptors", "{interface}: {now} trên {most} phần tử")
    remedy = ("`ethtool -G {interface} rx {most}`", "`ethtool -G {interface} rx {most}`")

    def _sizes(self, machine: Machine) -> tuple[int, int] | None:
        answer = machine.ethtool(struct.pack("=9I", card.GRINGPARAM, *[0] * 8))
        if answer is None:
            return None
        numbers = struct.unpack("=9I", answer)
        return (numbers[5], numbers[1]) if numbers[1] else None

    def look(self, machine: Machine) -> Result:
        sizes = self._sizes(machine)
        if sizes is None:
            return skipped(*_NOT_TOLD)
        now, most = sizes
        return (
            OK if now >= most else Result("warn", {"interface": machine.interface, "now": now, "most": most})
        )

    def fix(self, machine: Machine) -> list[list[str]]:
        sizes = self._sizes(machine)
        return [["ethtool", "-G", machine.interface, "rx", str(sizes[1])]] if sizes else []


class Drops(LiveCheck):
    name = "drops"
    doc = ("the card or the kernel dropped packets", "card hoặc nhân đã bỏ gói")
    evidence = (
        "{interface}: {dropped} of {packets} packets: {counters}",
        "{interface}: {dropped} trên {packets} gói: {counters}",
    )
    remedy = (
        "`ethtool -G {interface} rx 4096`, `sysctl -w net.core.netdev_max_backlog=250000`; then count anew",
        "`ethtool -G {interface} rx 4096`, `sysctl -w net.core.netdev_max_backlog=250000`; rồi đếm lại",
    )

    # Not rx_dropped: before a capture runs it has every frame that no protocol of this machine takes.
    COUNTERS = ("rx_missed_errors", "rx_fifo_errors", "rx_over_errors", "rx_crc_errors")
    SHARE = 0.0001  # what came since boot; one in ten thousand is no illness of today

    def look(self, machine: Machine) -> Result:
        counts = {name: machine.of_card(f"statistics/{name}") for name in self.COUNTERS}
        packets = int(machine.of_card("statistics/rx_packets") or 0)
        bad = {name: int(count) for name, count in counts.items() if count.isdigit() and int(count)}
        dropped = sum(bad.values())
        if dropped <= self.SHARE * packets:
            return OK
        shown = ", ".join(f"{name} {count}" for name, count in bad.items())
        return Result(
            "warn",
            {"interface": machine.interface, "dropped": dropped, "packets": packets, "counters": shown},
        )


class QueueHash(LiveCheck):
    name = "queue-hash"
    doc = (
        "the two directions of a flow come in different queues",
        "hai chiều của một luồng vào các hàng đợi khác nhau",
    )
    evidence = (
        "{interface}: {queues} receive queues, and the hash key is not symmetric",
        "{interface}: {queues} hàng đợi nhận, và khóa băm không đối xứng",
    )
    remedy = (
        "`ethtool -L {interface} combined 1`, or `ethtool -X {interface} hkey $(printf '6d:5a:%.0s' $(seq "
        "19))6d:5a equal {queues}`",
        "`ethtool -L {interface} combined 1`, hoặc `ethtool -X {interface} hkey $(printf '6d:5a:%.0s' $(seq "
        "19))6d:5a equal {queues}`",
    )

    GRSSH = 0x46

    def look(self, machine: Machine) -> Result:
        folder = Path(f"/sys/class/net/{machine.interface}/queues")
        queues = len(list(folder.glob("rx-*"))) if folder.is_dir() else 0
        if queues <= 1:
            return OK
        head = struct.pack("=13I", self.GRSSH, *[0] * 12)  # struct ethtool_rxfh, sizes only
        answer = machine.ethtool(head)
        if answer is None:
            return skipped(*_NOT_TOLD)
        table, key = struct.unpack_from("=II", answer, 8)
        if not 0 < key <= 512 or table > 65_536:
            return skipped(*_NOT_TOLD)
        room = struct.pack("=13I", self.GRSSH, 0, table, key, *[0] * 9) + bytes(4 * table + key)
        answer = machine.ethtool(room)
        if answer is None:
            return skipped(*_NOT_TOLD)
        secret = answer[52 + 4 * table :]
        # A key that repeats every 16 bits gives both directions one hash (Woo and Park, 2012).
        if secret == (secret[:2] * key)[:key]:
            return OK
        return Result("warn", {"interface": machine.interface, "queues": queues})


class Interrupts(LiveCheck):
    name = "interrupts"
    doc = (
        "one processor has all of the card's interrupts",
        "một bộ xử lý nhận mọi ngắt của card",
    )
    evidence = (
        "{interface}: {interrupts} interrupts, all on processor {processor}",
        "{interface}: {interrupts} ngắt, đều ở bộ xử lý {processor}",
    )
    remedy = (
        "spread them: `echo N > /proc/irq/{first}/smp_affinity_list`; stop irqbalance first",
        "mỗi ngắt một bộ xử lý: `echo N > /proc/irq/{first}/smp_affinity_list`; dừng irqbalance trước",
    )

    def look(self, machine: Machine) -> Result:
        mine = [
            line.split(":")[0].strip()
            for line in machine.read("/proc/interrupts").splitlines()
            if re.search(rf"\b{re.escape(machine.interface)}\b", line)
        ]
        folder = Path(f"/sys/class/net/{machine.interface}/device/msi_irqs")
        mine = mine or (sorted(path.name for path in folder.iterdir()) if folder.is_dir() else [])
        if not mine:
            return skipped("the interface has no interrupt of its own", "giao diện không có ngắt riêng")
        places = {machine.read(f"/proc/irq/{number}/effective_affinity_list") for number in mine} - {""}
        if len(mine) < 2 or len(places) != 1 or not next(iter(places)).isdigit():
            return OK
        return Result(
            "warn",
            {
                "interface": machine.interface,
                "interrupts": len(mine),
                "processor": places.pop(),
                "first": mine[0],
            },
        )


class Promiscuous(LiveCheck):
    name = "promiscuous"
    doc = (
        "the interface refuses frames for others (a capture turns this off while it runs)",
        "giao diện từ chối khung gửi cho máy khác (khi bắt gói sẽ tự đổi)",
    )
    evidence = ("{interface}: flags {flags}", "{interface}: cờ {flags}")
    remedy = ("`ip link set dev {interface} promisc on`", "`ip link set dev {interface} promisc on`")

    def look(self, machine: Machine) -> Result:
        flags = machine.of_card("flags")
        if not flags:
            return skipped("no flags in sysfs", "không có cờ trong sysfs")
        if int(flags, 16) & _PROMISCUOUS:
            return OK
        return Result("warn", {"interface": machine.interface, "flags": flags})

    def fix(self, machine: Machine) -> list[list[str]]:
        return [["ip", "link", "set", "dev", machine.interface, "promisc", "on"]]


class Mtu(LiveCheck):
    name = "mtu"
    doc = ("the MTU is smaller than an Ethernet frame", "MTU nhỏ hơn khung Ethernet")
    evidence = ("{interface}: MTU {mtu} bytes", "{interface}: MTU {mtu} byte")
    remedy = (
        "`ip link set dev {interface} mtu 1500`, 9216 with jumbo frames",
        "`ip link set dev {interface} mtu 1500`, 9216 nếu có khung jumbo",
    )

    def look(self, machine: Machine) -> Result:
        mtu = machine.of_card("mtu")
        if not mtu.isdigit():
            return skipped("no MTU in sysfs", "không có MTU trong sysfs")
        return OK if int(mtu) >= 1500 else Result("warn", {"interface": machine.interface, "mtu": mtu})

"""Every check, causes before symptoms: of two findings alike in gravity the earlier one is told first."""

from __future__ import annotations

from sensor.doctor.capture import checksums, clock, copies, directions, lengths, order, port
from sensor.doctor.check import CaptureCheck, LiveCheck
from sensor.doctor.live import kernel, link, service

CAPTURE_CHECKS: tuple[type[CaptureCheck], ...] = (
    port.DeadPort,
    lengths.Truncation,
    port.UnknownEncapsulation,
    port.NonIp,
    clock.TimesZero,
    clock.TimesFuture,
    copies.Duplicates,
    directions.VlanDirection,
    directions.OneSided,
    directions.Asymmetric,
    directions.VlanTags,
    lengths.SuperPackets,
    checksums.ChecksumCorrupt,
    checksums.ChecksumOffload,
    clock.TimesBackwards,
    order.Reordering,
    order.TcpGaps,
    clock.TimesCoarse,
    lengths.Jumbo,
    port.MirrorOfMirror,
)

CARD_CHECKS: tuple[type[LiveCheck], ...] = (
    link.Carrier,
    link.Offloads,
    link.Ring,
    link.Drops,
    link.QueueHash,
    link.Interrupts,
    link.Promiscuous,
    link.Mtu,
)
"""Of one interface."""

PRIVILEGED_CHECKS: tuple[type[LiveCheck], ...] = (kernel.Capabilities, kernel.Features)
"""Of what only a process that may open packet sockets can find out."""

MACHINE_CHECKS: tuple[type[LiveCheck], ...] = (
    kernel.Clock,
    service.DiskRoom,
    service.RulesAge,
    service.Centre,
)

LIVE_CHECKS: tuple[type[LiveCheck], ...] = (*CARD_CHECKS, *PRIVILEGED_CHECKS, *MACHINE_CHECKS)

"""Both directions of a conversation: there, and in which VLAN."""

from __future__ import annotations

from sensor.doctor.check import OK, CaptureCheck, Result
from sensor.doctor.conversations import Conversation
from sensor.doctor.frame import Frame

PACKETS_MIN = 3  # a SYN and its retransmissions may have had no answer; see _one_sided
CONVERSATIONS_MIN = 3  # of many, to call some asymmetric
MAX_VLANS = 4096


def _one_sided(conversation: Conversation) -> bool | None:
    """None: it cannot be told. One side alone is proved by acknowledging what was never seen."""
    there, back = conversation.sides
    if there.packets and back.packets:
        return False
    side = there if there.packets else back
    spoke = side.acked_progress or (side.acked and side.segments)
    return True if spoke and side.packets >= PACKETS_MIN else None


class _Directions(CaptureCheck):
    def __init__(self) -> None:
        self._vlans: dict[tuple[int, ...], list[int]] = {}  # both, one
        self._dns = [0, 0]

    def frame(self, frame: Frame) -> None:
        if frame.protocol == 17 and 53 in frame.ports and frame.payload >= 12:
            self._dns[frame.ports[0] == 53] += 1

    def closed(self, conversation: Conversation) -> None:
        one = _one_sided(conversation)
        if one is None:
            return
        for vlan in conversation.sides[0].vlans | conversation.sides[1].vlans:
            if vlan in self._vlans or len(self._vlans) < MAX_VLANS:
                self._vlans.setdefault(vlan, [0, 0])[one] += 1

    def _both_and_one(self) -> tuple[int, int]:
        """Conversations with both sides, and with one."""
        both = sum(counts[0] for counts in self._vlans.values())
        return both, sum(counts[1] for counts in self._vlans.values())

    def _ill_vlans(self) -> list[tuple[int, ...]]:
        return [vlan for vlan, (both, one) in self._vlans.items() if one >= 2 and one >= 9 * both]


class VlanDirection(_Directions):
    name = "vlan-direction"
    doc = (
        "some VLANs are mirrored in one direction only, others in both",
        "một số VLAN chỉ được nhân bản một chiều, số khác hai chiều",
    )
    evidence = (
        "VLAN {vlans}: {one} TCP conversations have one side only; other VLANs have {both} with both",
        "VLAN {vlans}: {one} cuộc trao đổi TCP chỉ có một chiều; các VLAN khác có {both} cuộc đủ hai chiều",
    )
    remedy = (
        "add the missing direction: `monitor session 1 source vlan {vlans} both`",
        "thêm chiều còn thiếu: `monitor session 1 source vlan {vlans} both`",
    )
    explains = ("one-sided", "asymmetric", "tcp-gaps")

    def result(self) -> Result:
        ill = self._ill_vlans()
        both = sum(counts[0] for vlan, counts in self._vlans.items() if vlan not in ill)
        if not ill or len(self._vlans) < 2 or both < 2:
            return OK
        shown = ", ".join("/".join(map(str, vlan)) or "untagged" for vlan in sorted(ill)[:8])
        return Result(
            "fail", {"vlans": shown, "one": sum(self._vlans[vlan][1] for vlan in ill), "both": both}
        )


class OneSided(_Directions):
    name = "one-sided"
    doc = (
        "only one direction of the conversations arrives",
        "chỉ có một chiều của các cuộc trao đổi",
    )
    evidence = (
        "{one} of {all} conversations have one side only",
        "{one} trên {all} cuộc trao đổi chỉ có một chiều",
    )
    remedy = (
        "mirror both directions: `monitor session 1 source interface X both`; of a tap both outputs",
        "nhân bản cả hai chiều: `monitor session 1 source interface X both`; với tap, nối cả hai đầu ra",
    )
    explains = ("tcp-gaps", "asymmetric")

    def result(self) -> Result:
        both, one = self._both_and_one()
        if not both + one and max(self._dns) >= 20 and not min(self._dns):
            # Twenty questions and no answer, or the other way round: no name server is that silent.
            return Result("fail", {"one": max(self._dns), "all": max(self._dns)})
        if not one or one < 0.9 * (both + one):
            return OK
        return Result("fail", {"one": one, "all": both + one})


class Asymmetric(_Directions):
    name = "asymmetric"
    doc = (
        "a part of the conversations has one side only: two paths, one of them mirrored",
        "một phần cuộc trao đổi chỉ có một chiều: có hai đường, một đường được nhân bản",
    )
    evidence = OneSided.evidence
    remedy = (
        "mirror all members of the link bundle and both routers' ports into one session: `monitor session 1 "
        "source interface X, Y both`",
        "đưa mọi thành viên của nhóm liên kết và cổng của hai bộ định tuyến vào một phiên: `monitor session "
        "1 source interface X, Y both`",
    )
    explains = ("tcp-gaps",)

    SHARE = 0.1  # conversations that began before the capture or were cut at its end are fewer

    def result(self) -> Result:
        both, one = self._both_and_one()
        if one < CONVERSATIONS_MIN or not self.SHARE <= one / (both + one) < 0.9:
            return OK
        return Result("fail", {"one": one, "all": both + one})


class VlanTags(CaptureCheck):
    name = "vlan-tags"
    doc = (
        "the two directions of a conversation carry different VLAN tags",
        "hai chiều của một cuộc trao đổi mang thẻ VLAN khác nhau",
    )
    evidence = (
        "{differ} of {all} conversations, for example {one} and {other}",
        "{differ} trên {all} cuộc trao đổi, ví dụ {one} và {other}",
    )
    remedy = (
        "set `vlan.use-for-tracking: false` in haidang.yaml, or tag alike: `monitor session 1 destination "
        "interface Y encapsulation replicate`",
        "đặt `vlan.use-for-tracking: false` trong haidang.yaml, hoặc gắn thẻ như nhau: `monitor session 1 "
        "destination interface Y encapsulation replicate`",
    )

    def __init__(self) -> None:
        self._differ = self._all = 0
        self._example = ("", "")

    def closed(self, conversation: Conversation) -> None:
        there, back = conversation.sides
        if not there.packets or not back.packets or there.packets + back.packets < PACKETS_MIN:
            return
        self._all += 1
        if not there.vlans & back.vlans:
            self._differ += 1
            one, other = ("/".join(map(str, min(side.vlans))) or "untagged" for side in (there, back))
            self._example = (one, other)

    def result(self) -> Result:
        if not self._differ or self._differ < 0.05 * self._all:
            return OK
        one, other = self._example
        return Result("fail", {"differ": self._differ, "all": self._all, "one": one, "other": other})

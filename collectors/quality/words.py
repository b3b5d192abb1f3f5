"""The four words, computed from facts (docs/spec/quality.md): correct, complete, clean, live.

A word holds only when nothing that was counted speaks against it, and is unknown (None) when nothing was
counted at all.
"""

from __future__ import annotations

from typing import NamedTuple

from collectors.quality.facts import Facts

NAMES = ("correct", "complete", "clean", "live")

MAX_CLOCK_ERROR_US = 1_000_000  # events of two sensors can then be put into one order to the second
MIN_LIVE = 0.9
MAX_STORE_LAG_US = 30_000_000  # from receipt to being found

Reason = tuple[str, str]
"""In English and Vietnamese."""


class Word(NamedTuple):
    """holds: None when nothing is known. ratio: 0 to 1, of what the word is about; None when unknown."""

    holds: bool | None
    ratio: float | None
    reasons: tuple[Reason, ...] = ()


class Quality(NamedTuple):
    correct: Word
    complete: Word
    clean: Word
    live: Word


def judge(facts: Facts, span_us: int) -> Quality:
    """The words for facts that were counted over so many microseconds."""
    return Quality(_correct(facts), _complete(facts), _clean(facts), _live(facts, span_us))


def clock_error_us(facts: Facts) -> int | None:
    """The most that the sensor's clock can have been off, when that is known."""
    if facts.skew_us is None or facts.bound_us is None:
        return None
    furthest = max(abs(facts.skew_low_us or 0), abs(facts.skew_high_us or 0), abs(facts.skew_us))
    return furthest + facts.bound_us


def packet_lag_us(facts: Facts) -> int | None:
    """From packet to receipt, both by the centre's clock. Large for captures that are replayed."""
    if facts.packet_lag_us is None:
        return None
    return facts.packet_lag_us + (facts.skew_us or 0)


def _correct(facts: Facts) -> Word:
    tried = facts.batches + facts.forged
    reasons = _said((facts.forged, "{} batches refused for key or signature", "{} lô sai khóa hoặc chữ ký"))
    error = clock_error_us(facts)
    if error is not None and error > MAX_CLOCK_ERROR_US:
        text = f"{(facts.skew_us or 0) / 1e6:+.3f}"
        reasons.append((f"its clock is off by {text} s", f"đồng hồ lệch {text} giây"))
    elif error is None and facts.skew_us is not None and abs(facts.skew_us) > MAX_CLOCK_ERROR_US:
        text = f"{facts.skew_us / 1e6:+.3f}"
        reasons.append((f"its clock is off by some {text} s", f"đồng hồ lệch khoảng {text} giây"))
    known = bool(tried) or facts.skew_us is not None
    return _word(known, facts.batches / tried if tried else None, reasons)


def _complete(facts: Facts) -> Word:
    reasons = _said(
        (facts.lost, "{} events lost", "mất {} sự kiện"),
        (missing := max(0, facts.skipped - facts.late), "{} batches are not here yet", "{} lô chưa tới"),
        (facts.missing_uncounted, "{} stretches missing, nobody knows how much", "{} đoạn thiếu không rõ"),
        (facts.chain_breaks, "{} batches do not follow the one before", "{} lô không nối lô trước"),
        (facts.new_spools, "{} times another spool", "{} lần đổi vùng đệm"),
        (facts.books_open, "its books are off by {} events", "sổ lệch {} sự kiện"),
        (facts.kernel_drops, "{} packets dropped before the engine", "{} gói bị bỏ trước bộ máy"),
        (facts.queue_lost, "{} events given up inside the sensor", "{} sự kiện bị bỏ trong cảm biến"),
        (facts.imbalances, "{} books of its capture do not close", "{} sổ bắt gói không khớp"),
    )
    shares = []
    if made := facts.events + facts.lost + facts.queue_lost:
        shares.append(facts.events / made)
    if missing:
        shares.append(facts.batches / (facts.batches + missing))
    if facts.kernel_packets:
        shares.append(max(0.0, 1 - facts.kernel_drops / facts.kernel_packets))
    return _word(bool(shares or reasons or facts.words), min(shares, default=None), reasons)


def _clean(facts: Facts) -> Word:
    reasons = _said(
        (facts.invalid, "{} lines are no event", "{} dòng không phải sự kiện"),
        (facts.unreadable, "{} batches or messages unreadable", "{} lô hoặc thông điệp không đọc được"),
    )
    valid = (facts.stored - facts.invalid) / facts.stored if facts.stored else None
    return _word(bool(facts.stored or facts.unreadable), valid, reasons)


def _live(facts: Facts, span_us: int) -> Word:
    ratio = min(1.0, facts.live_us / span_us) if span_us > 0 else 0.0
    reasons: list[Reason] = []
    if ratio < MIN_LIVE:
        silent = f"{(1 - ratio) * span_us / 1e6:.0f}"
        reasons.append((f"silent for {silent} s", f"im lặng {silent} giây"))
    if facts.store_lag_us is not None and facts.store_lag_us > MAX_STORE_LAG_US:
        late = f"{facts.store_lag_us / 1e6:.0f}"
        reasons.append((f"in the store after {late} s", f"vào kho sau {late} giây"))
    return _word(True, ratio, reasons)


def _word(known: bool, ratio: float | None, reasons: list[Reason]) -> Word:
    return Word(not reasons if known else None, ratio, tuple(reasons))


def _said(*counted: tuple[int, str, str]) -> list[Reason]:
    return [
        (english.format(f"{count:,}"), vietnamese.format(f"{count:,}"))
        for count, english, vietnamese in counted
        if count
    ]

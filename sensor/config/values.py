"""What a configuration value can be, and how its text becomes that. It must not know any key.

A converter takes what the YAML holds (text, list, mapping, or None for an empty value) and returns what goes
into the engine's JSON document; it raises ValueError with `what it is not; what to write`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sensor.config.reading import Value

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]i?b|b|bytes)?", re.ASCII | re.IGNORECASE)
_SIZE_FACTOR = {"": 1, "b": 1, "bytes": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
_MAX_SIZE = 1 << 60  # far above any memory, and safely inside the engine's 64 bits
_TRUE = frozenset({"yes", "true", "on", "1", "enabled"})
_FALSE = frozenset({"no", "false", "off", "0", "disabled"})


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: its name in the manual, its converter, what it looks like."""

    name: str
    convert: Callable[[Value], Json]
    example: str


def boolean(value: Value) -> bool:
    """yes/no, true/false, on/off, 1/0, any case, as YAML 1.1 and Suricata read them."""
    text = value.strip().lower() if isinstance(value, str) else ""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"{show(value)} is neither yes nor no; write yes or no")


def size_bytes(value: Value) -> int:
    """`64mb`, `64 MiB`, `1.5gb`, `4096` in bytes (units are powers of 1024); `unlimited` is 0."""
    text = value.strip() if isinstance(value, str) else ""
    if text.lower() == "unlimited":
        return 0
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{show(value)} is not a size; write e.g. 64mb")
    number, unit = match[1], (match[2] or "").lower().replace("i", "")
    whole = int(number) if number.isdigit() else float(number)
    total = int(whole * _SIZE_FACTOR[unit])
    if total > _MAX_SIZE:
        raise ValueError(f"{show(value)} is larger than any memory; write e.g. 64mb")
    return total


def whole(minimum: int, maximum: int, example: int) -> Kind:
    """A whole number from minimum to maximum."""

    def convert(value: Value) -> int:
        text = value.strip() if isinstance(value, str) else ""
        if not re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII):
            raise ValueError(f"{show(value)} is not a whole number; write e.g. {example}")
        number = int(text)
        if not minimum <= number <= maximum:
            raise ValueError(f"{number} is out of range; write a number from {minimum} to {maximum}")
        return number

    return Kind("number", convert, str(example))


def choice(*words: str) -> Kind:
    """One of these words. `yes` and `no` among them stand for every spelling of a boolean."""

    def convert(value: Value) -> str:
        text = value.strip().lower() if isinstance(value, str) else ""
        if text in words:
            return text
        for word, spellings in (("yes", _TRUE), ("no", _FALSE)):
            if word in words and text in spellings:
                return word
        raise ValueError(f"{show(value)} is not possible here; write one of: {', '.join(words)}")

    return Kind(" \\| ".join(words), convert, words[0])


def text(value: Value) -> str:
    """Text as it stands; a YAML list becomes the rule language's [a,b,c], so HOME_NET can be either."""
    if isinstance(value, list):
        return f"[{','.join(text(item) for item in value)}]"
    if isinstance(value, str):
        return value
    raise ValueError(f"{show(value)} is not a text; write one value")


def texts(value: Value) -> list[Json]:
    """A list of texts: a YAML list, or one text split at commas, with or without [ ] around it."""
    if isinstance(value, list):
        return [text(item) for item in value if item is not None]
    if isinstance(value, str):
        inner = value.strip().removeprefix("[").removesuffix("]")
        return [part.strip() for part in inner.split(",") if part.strip()]
    if value is None:
        return []
    raise ValueError(f"{show(value)} is not a list; write e.g. [a, b]")


def guess(value: Value) -> Json:
    """Options whose kinds we do not keep: booleans and whole numbers by their look, the rest as text."""
    if isinstance(value, dict):
        return {key: guess(item) for key, item in value.items()}
    if isinstance(value, list):
        return [guess(item) for item in value]
    if value is None:
        return None
    if re.fullmatch(r"\d{1,15}", value, re.ASCII):
        return int(value)
    lowered = value.lower()
    return True if lowered in ("yes", "true", "on") else False if lowered in ("no", "false", "off") else value


def show(value: Value) -> str:
    """The value as a message shows it."""
    if isinstance(value, str):
        return f'"{value[:60]}"'
    return "nothing" if value is None else "a list" if isinstance(value, list) else "a section"


BOOL = Kind("yes \\| no", boolean, "yes")
SIZE = Kind("size", size_bytes, "64mb")
COUNT = whole(0, 1 << 40, 1000)
SECONDS = whole(0, 1 << 31, 60)
TEXT = Kind("text", text, "any text")
TEXTS = Kind("list", texts, "[a, b]")
GUESS = Kind("section", guess, "")

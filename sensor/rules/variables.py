"""`$HOME_NET` and its kin: the variables of `vars`, put into the addresses and ports of rule headers.

The result is an expression of the rule language without variables; whether it makes sense is for the engine
to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MAX_EXPANDED_CHARACTERS = (
    1 << 20
)  # lists of lists of lists: far above any real address group, far below the memory

_VARIABLE = re.compile(r"(!?)\s*\$([A-Za-z0-9_.-]+)")
_SPACE = re.compile(r"\s+")


class VariableError(ValueError):
    """A variable that cannot be replaced: `reason` says why, `fix` what to do."""

    def __init__(self, name: str, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.name = name
        self.reason = reason
        self.fix = fix


class Variables:
    """The address groups and port groups of one configuration; expressions are expanded once."""

    def __init__(self, addresses: Mapping[str, str], ports: Mapping[str, str]) -> None:
        self._addresses = _Group("address", dict(addresses))
        self._ports = _Group("port", dict(ports))

    def address(self, expression: str) -> str:
        """An address expression without variables and blanks. Raises VariableError."""
        return self._addresses.expand(expression)

    def port(self, expression: str) -> str:
        """A port expression without variables and blanks. Raises VariableError."""
        return self._ports.expand(expression)


class _Group:
    def __init__(self, kind: str, values: dict[str, str]) -> None:
        self.kind = kind
        self.values = values
        self.known: dict[str, str] = {}

    def expand(self, expression: str) -> str:
        found = self.known.get(expression)
        if found is None:
            found = self.known[expression] = self._expand(expression, ())
        return found

    def _expand(self, expression: str, open_names: tuple[str, ...]) -> str:
        if "$" not in expression:
            return _SPACE.sub("", expression)
        parts: list[str] = []
        size = end = 0
        for match in _VARIABLE.finditer(expression):
            negation, name = match.groups()
            value = self._value(name, open_names)
            if negation and value.startswith("!"):
                negation, value = "", value[1:]
            parts += (expression[end : match.start()], negation, value)
            size += len(value)
            if size > MAX_EXPANDED_CHARACTERS:
                raise VariableError(
                    name, f"${name} expands to more than {MAX_EXPANDED_CHARACTERS} characters", "shorten it"
                )
            end = match.end()
        parts.append(expression[end:])
        whole = _SPACE.sub("", "".join(parts))
        if "$" in whole:
            raise VariableError(
                "", f"{expression!r} has a $ without a name", "write $NAME with a name from vars"
            )
        return whole

    def _value(self, name: str, open_names: tuple[str, ...]) -> str:
        text = self.values.get(name)
        if text is None:
            raise VariableError(
                name,
                f"undefined {self.kind} variable ${name}",
                f"set vars.{self.kind}-groups.{name} in the configuration, "
                f"or --set vars.{self.kind}-groups.{name}=VALUE",
            )
        if name in open_names:
            raise VariableError(
                name,
                f"${name} is defined by itself",
                f"give vars.{self.kind}-groups.{name} a value of its own",
            )
        value = self._expand(text, (*open_names, name))
        if _has_top_level_comma(value):
            value = f"[{value}]"
        self.values[name] = value  # expanded once: the next use finds plain text
        return value


def _has_top_level_comma(value: str) -> bool:
    """Whether this is a list without brackets around it, which `!` would otherwise negate only in part."""
    if "," not in value:
        return False
    bare = value
    while "[" in bare:  # each round removes the innermost brackets
        shorter = re.sub(r"\[[^\[\]]*\]", "", bare)
        if shorter == bare:
            return False  # unbalanced: the engine will say so
        bare = shorter
    return "," in bare

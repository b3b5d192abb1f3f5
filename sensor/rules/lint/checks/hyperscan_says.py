"""What Hyperscan's compiler says of a regular expression."""

from collections.abc import Iterable

from sensor.errors import UserError
from sensor.rules.lint.check import Check, Place
from sensor.rules.lint.rule import Rule, pcre_parts

MAX_EXPRESSION_CHARACTERS = 2000  # larger ones take seconds, and say "too large"


def look(rule: Rule) -> Iterable[Place]:
    try:
        import hyperscan  # type: ignore[import-not-found, unused-ignore]  # has no types; may be absent
    except ModuleNotFoundError:
        raise UserError(
            "pattern analysis needs the package hyperscan",
            fix="pip install 'haidang[rules]', or leave H400 out",
        ) from None
    for index, value in rule.values("pcre"):
        _, body, flags = pcre_parts(value)
        if len(body) > MAX_EXPRESSION_CHARACTERS:
            continue
        bits = hyperscan.HS_FLAG_SINGLEMATCH
        for letter, bit in (("i", "CASELESS"), ("s", "DOTALL"), ("m", "MULTILINE")):
            if letter in flags:
                bits |= getattr(hyperscan, f"HS_FLAG_{bit}")
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        try:
            database.compile(expressions=[body.encode("latin-1", "replace")], flags=bits)
        except hyperscan.error as error:
            yield index, " ".join(str(error).split())


CHECK = Check(
    code="H400",
    title="Hyperscan refuses the expression",
    severity="note",
    why="Back references and looks ahead and behind are left to the backtracking matcher; an expression that matches "
    "the empty string matches everything. The check takes a while, and runs only when it is selected.",
    fix="write it without, if speed matters here",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; pcre:"/(a|b)evil\\1/"; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; pcre:"/(a|b)evil/"; sid:1;)',
    on=("pcre",),
    look=look,
    needs="hyperscan",
)

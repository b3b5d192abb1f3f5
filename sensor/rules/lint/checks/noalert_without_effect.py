"""A rule that neither alerts nor remembers."""

from collections.abc import Iterable

from sensor.rules.lint.check import WHOLE_RULE, Check, Place
from sensor.rules.lint.rule import Rule

_EFFECTS = {"flowbits", "flowint", "xbits", "hostbits", "dataset", "datarep", "tag", "pcre", "config", "bypass",
            "filestore", "nfq_set_mark", "lua", "tls.store"}  # fmt: skip


def look(rule: Rule) -> Iterable[Place]:
    if rule.action != "alert" or rule.named.keys() & (_EFFECTS - {"flowbits"}):
        return ()
    flowbits = [value for _, value in rule.values("flowbits")]
    if any(value.split(",")[0].strip() in ("set", "unset", "toggle") for value in flowbits):
        return ()
    silent = "noalert" in rule.spelled or any(value.strip() == "noalert" for value in flowbits)
    return ((WHOLE_RULE, ""),) if silent else ()


CHECK = Check(
    code="H213",
    title="noalert on a rule that changes nothing",
    severity="warning",
    why="The rule is evaluated and its match is thrown away.",
    fix="set a flowbit, or leave noalert out",
    bad='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; noalert; sid:1;)',
    good='alert tcp any any -> any 25 (msg:"a"; flow:established,to_server; content:"evil"; flowbits:set,HD.a; '
    "noalert; sid:1;)",
    on=("noalert", "flowbits"),
    look=look,
)

"""The engine's face towards Python (the binding lives in sensor/engine/py).

Packets never cross this boundary: configuration and rules go in, diagnostics, batches of events and counters
come out.
"""

from collections.abc import Iterable, Sequence, Set

VERSION: str
SURICATA_COMPAT: str
PROFILE_GUIDED: bool
"""The engine is laid out by a profile of replays (`make optimize`)."""

class EngineError(Exception):
    """The engine cannot do what was asked; the text says what, where and how to mend it."""

# (file, line, action, protocol, source, source port, direction, destination, destination port, options, text)
# Variables ($HOME_NET ...) are already replaced; an option is (keyword, value or None, line, column from 1).
RawOption = tuple[str, str | None, int, int]
RawRule = tuple[str, int, str, str, str, str, str, str, str, Sequence[RawOption], str]

class RawRules:
    """Rules on their way to be compiled, in a form much smaller than tuples."""

    def __init__(self, text_bytes: int = 0) -> None:
        """text_bytes: about how much text the rules have in all."""
    def __len__(self) -> int: ...
    def add(self, rules: Iterable[RawRule]) -> None:
        """Take rules in. What the iterable raises is passed on."""

class Diagnostic:
    """One finding about one rule.

    severity: "error" (not loaded), "skip" (a keyword or protocol this build lacks), "warning".
    """

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...
    @property
    def severity(self) -> str: ...
    @property
    def sid(self) -> int: ...
    @property
    def keyword(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def fix(self) -> str: ...

class Ruleset:
    """Compiled rules, immutable, shared by every worker."""

    @staticmethod
    def compile(
        config: str,
        rules: RawRules | Iterable[RawRule],
        validate_only: bool = False,
        cache: RulesetCache | None = None,
        findings: str = "",
        in_force: InForce | None = None,
    ) -> Ruleset:
        """Compile; rules that cannot be loaded become diagnostics. config: the engine's JSON document. Of
        rules with the same gid and sid only one is loaded. RawRules are empty afterwards. cache: databases
        are taken from it and the result is kept in it, with `findings`, which are the caller's own. in_force:
        databases are shared with these rules; it is done on one thread, with little memory.
        """

    @property
    def findings(self) -> str: ...
    def tell_counts(self, loaded: int, failed: int, skipped: int) -> None:
        """What the stats event says of its rules (`detect.engines`); the first word counts."""
    @property
    def left_out(self) -> list[int]:
        """The rules that gave way to others of the same sid, numbered from 0 as they were given."""
    @property
    def databases(self) -> tuple[int, int]:
        """How many pattern databases it has, and how many of them were compiled before."""
    @property
    def loaded(self) -> int: ...
    @property
    def id(self) -> str:
        """Hex digest of the rules and the engine version."""
    @property
    def diagnostics(self) -> list[Diagnostic]: ...

class InForce:
    """The rules that an engine has in force, for those that are to replace them. They live on with it."""

class RulesetCache:
    """Compiled rulesets in a folder, for one set of inputs: the configuration, further `parts`, files."""

    def __init__(self, folder: str, owner: int, config: str, parts: Sequence[bytes]) -> None:
        """owner: the user whose files are trusted besides root's."""
    def load(
        self, config: str, paths: Sequence[str] | None, file_bytes_max: int, in_force: InForce | None = None
    ) -> Ruleset | None:
        """The ruleset of these files as they are now, or of those added; None when they have to be compiled.
        What was added is forgotten. in_force: see Ruleset.compile.
        """
    def add(self, path: str, pieces: Sequence[bytes]) -> None:
        """A file as it was read, for what `compile` will keep."""
    @property
    def warnings(self) -> list[str]:
        """Why `load` did not trust what is there."""
    @property
    def not_kept(self) -> str | None:
        """Why `compile` kept nothing."""

class Batch:
    """Events in the order they were made, one JSON object a line (NDJSON)."""

    @property
    def data(self) -> bytes: ...
    @property
    def events(self) -> int: ...
    def lane(self, lane: int) -> tuple[int, bytes]:
        """(count, NDJSON) of one lane: 0 alert, 1 health (stats), 2 evidence (anomaly, fileinfo), 3 logs."""
    def only(self, types: Set[str]) -> memoryview:
        """NDJSON of the events whose event_type is one of these, not copied when all are."""
    def __buffer__(self, flags: int, /) -> memoryview: ...
    @property
    def first_seconds(self) -> float:
        """Packet time of the first event, seconds since the epoch."""
    @property
    def last_seconds(self) -> float: ...

class Replay:
    """Reads captures through the engine on its own threads; batches are fetched as they come."""

    def __init__(self, config: str, ruleset: Ruleset, paths: Sequence[str], workers: int = 1) -> None: ...
    def next_batch(self, timeout_seconds: float) -> Batch | None:
        """The next batch, or None when there is none yet (see finished)."""
    def reload(self, config: str, ruleset: Ruleset) -> None:
        """Have all workers go on with another ruleset, from one and the same frame on; what flows bear stays.

        Returns when it is ready to be taken (`reloads`). Raises EngineError when the one before is not in
        force yet, or the engine cannot make it ready; the old one stays.
        """
    @property
    def in_force(self) -> InForce: ...
    def free_retired(self) -> list[str]:
        """Free what a reload replaced, if no worker has it any more; what went wrong. Fetching batches does
        it too.
        """
    @property
    def reloads(self) -> tuple[int, bool]:
        """(reloads in force at every worker, whether one waits for the next frames)."""
    @property
    def finished(self) -> bool:
        """True once every packet is through and every batch was fetched."""
    @property
    def progress(self) -> tuple[int, int]:
        """(bytes read, bytes in all)."""
    @property
    def warnings(self) -> list[str]: ...
    def counters(self) -> dict[str, int]:
        """Counters by dotted name, as in the stats event (decoder.pkts, ...)."""
    def stop(self) -> None:
        """Finish after the packet in hand; what is pending is still flushed."""

class Ring:
    """One ring of an interface, as its worker last told: all of one moment, at most a second old."""

    @property
    def interface(self) -> str: ...
    @property
    def worker(self) -> int: ...
    @property
    def ring_bytes(self) -> int: ...
    @property
    def kernel_packets(self) -> int:
        """Packets that passed the kernel's filter, dropped ones among them."""
    @property
    def kernel_drops(self) -> int: ...
    @property
    def frames(self) -> int:
        """Frames taken out of the ring; kernel_packets - kernel_drops once the capture is finished."""
    @property
    def busy_permille(self) -> int:
        """Thousandths of the last interval in which the worker was not waiting for packets."""

class Live:
    """Captures from interfaces on the engine's own threads (node `live` of the configuration)."""

    def __init__(self, config: str, ruleset: Ruleset) -> None:
        """Opens every interface; this needs privileges, nothing after it does. Nothing comes in yet."""
    def begin(self) -> None:
        """Let packets in and start the workers."""
    def next_batch(self, timeout_seconds: float) -> Batch | None:
        """The next batch, or None when there is none yet (see finished)."""
    def reload(self, config: str, ruleset: Ruleset) -> None:
        """Have every worker go on with another ruleset at the edge of its next batch, as Replay.reload."""
    @property
    def in_force(self) -> InForce: ...
    def free_retired(self) -> list[str]:
        """Free what a reload replaced, if no worker has it any more; what went wrong. Fetching batches does
        it too.
        """
    @property
    def reloads(self) -> tuple[int, bool]:
        """(reloads in force at every worker, whether one waits for some worker)."""
    @property
    def finished(self) -> bool:
        """True once the capture was stopped, every packet is through and every batch was fetched."""
    def take_warnings(self) -> list[str]:
        """The warnings since the last call."""
    def counters(self) -> dict[str, int]:
        """Counters by dotted name, as in the stats event; at most a second old, exact once finished."""
    def rings(self) -> list[Ring]: ...
    @property
    def silent_seconds(self) -> float:
        """How long one of the workers has told nothing; each does so once a second while it is well."""
    def left_out(self) -> dict[str, tuple[int, int]]:
        """By interface: packets in exclusion zones, packets that the capture filter left out."""
    def shed_at(self, level: int) -> None:
        """Leave out more or less while memory is short: 0 nothing, 1 large flows, 2 parsing of new flows too,
        3 packets of new flows too.
        """
    def write_stats(self, more: dict[str, int]) -> None:
        """Write a stats event with these counters in it too."""
    def stop(self) -> None:
        """Let nothing in any more; what the rings hold goes through, and all flows end."""

def keywords() -> str:
    """The keyword table as JSON: [{name, aliases, kind, doc, example, accepts, refuses, protocols,
    directions, multi, words}]; the last four only where they apply, words as [word, number]."""

def protocols() -> str:
    """The application protocols as JSON: [{name, aliases, transport, recognise: {patterns, probe, tcp_ports,
    udp_ports}, buffers, numbers, frames, events, hooks: {to_server, to_client}, record, doc}]."""

def lint_buffers() -> str:
    """The sticky buffers as JSON: [{name, protocol, direction, doc}]."""

def return_memory() -> None:
    """Gives memory that nothing is in back to the system, which the allocators would keep for a while."""

def floor(config: str, ruleset: Ruleset, path: str) -> dict[str, int]:
    """What a capture costs at least, for the benchmark: {packets, bytes, read_ns, decode_ns, scan_ns, scans,
    scanned_bytes}. Nanoseconds of this thread's processor time: reading alone, reading and decoding, and
    both with one search of each payload.
    """

def explain(
    config: str, ruleset: Ruleset, gid: int, sid: int, paths: Sequence[str]
) -> tuple[str, list[str], dict[str, int]]:
    """Why one rule alerts on captures or not: (report as JSON, warnings, counters). Raises EngineError when
    no such rule is loaded.
    """

def profile(config: str, ruleset: Ruleset, paths: Sequence[str]) -> tuple[str, list[str], dict[str, int]]:
    """What rules cost on captures: (report as JSON, warnings, counters). Times are nanoseconds of the
    processor.
    """

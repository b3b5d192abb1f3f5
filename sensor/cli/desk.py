"""What `haidang replay` makes for analysts beside the logs: the report page and the evidence."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli.inputs import STANDARD_INPUT
from sensor.cli.language import is_vietnamese, say
from sensor.errors import UserError, from_os_error

if TYPE_CHECKING:
    from sensor._engine import Batch
    from sensor.config import Config
    from sensor.desk.evidence import Evidence
    from sensor.desk.gather import Gathered
    from sensor.rules.findings import RuleReport


class Desk:
    """Takes the batches of a replay if the arguments ask for a report or evidence."""

    def __init__(self, args: argparse.Namespace, captures: Sequence[str]) -> None:
        self._args, self._captures = args, captures
        self._gathered: Gathered | None = None
        self._evidence: Evidence | None = None
        self.takers: list[Callable[[Batch], None]] = []
        if args.report is not None:
            from sensor.desk.gather import Gathered

            _must_be_writable(Path(args.report))
            self._gathered = Gathered()
            self.takers.append(self._gathered.add)
        if args.evidence is not None:
            from sensor.desk.evidence import Evidence

            if any(path == STANDARD_INPUT or Path(path).is_fifo() for path in captures):
                raise UserError(
                    "evidence is read from the captures again, and a pipe cannot be",
                    where="--evidence",
                    fix="give files",
                )
            self._evidence = Evidence(Path(args.evidence))
            self.takers.append(self._evidence.add)

    def finish(self, config: Config, counters: Mapping[str, int], report: RuleReport) -> list[str]:
        """Write both; lines for the summary."""
        lines = []
        if self._gathered is not None:
            self._write_report(self._gathered, config, counters, report)
            lines.append(f"{say('report', 'báo cáo'):<9} {self._args.report}")
        if self._evidence is not None:
            made = self._evidence
            made.write(self._captures)
            told = say(
                f"{made.written:,} files in {made.folder}; {made.cut:,} cut, "
                f"{made.not_kept:,} alerts past the bound, {made.not_found:,} without packets",
                f"{made.written:,} tệp trong {made.folder}; {made.cut:,} bị cắt, "
                f"{made.not_kept:,} cảnh báo quá giới hạn, {made.not_found:,} không có gói",
            )
            lines.append(f"{say('evidence', 'chứng cứ'):<9} {told}")
        return lines

    def _write_report(
        self, found: Gathered, config: Config, counters: Mapping[str, int], report: RuleReport
    ) -> None:
        from sensor._engine import VERSION
        from sensor.cli.summary import lost, rule_counts
        from sensor.desk.page import page
        from sensor.desk.rule_texts import rule_texts

        rules = rule_texts(config, {sid for _, sid in found.rules}, self._args.only, self._args.extra)
        made = page(
            found,
            counters,
            list(lost(counters)),
            captures=self._captures,
            rules=rules,
            rule_counts=rule_counts(report),
            version=VERSION,
            is_vietnamese=is_vietnamese(),
        )
        try:
            Path(self._args.report).write_text(made, encoding="utf-8")
        except OSError as error:
            raise from_os_error(error, where=self._args.report) from error


def _must_be_writable(path: Path) -> None:
    """Before the work, not after it."""
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise from_os_error(error, where=path) from error

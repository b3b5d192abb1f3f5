"""From sources to the bytes of rule files: files, patterns, folders, archives, URLs. URLs go through a cache
with their ETag and date, so that an unchanged set is not fetched again, and what was fetched once can be used
without a network.
"""

from __future__ import annotations

import glob
import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sensor import __version__
from sensor.bus.durable import write_whole
from sensor.errors import UserError
from sensor.rules import sources
from sensor.rules.update import archives

MAX_DOWNLOAD_BYTES = 256 << 20  # ten times the largest public archive
TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source. name: what filename: and group: compare."""

    name: str
    content: bytes


@dataclass
class Fetched:
    """The files of all sources, sorted by name; one record per source for the manifest; what is to be
    said.
    """

    files: list[SourceFile] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def fetch(given: Sequence[str], cache: Path, *, offline: bool) -> Fetched:
    """Everything the sources hold. Raises UserError for a source that cannot be had at all."""
    fetched = Fetched()
    for source in given:
        if "://" in source:
            content = _from_url(source, cache, fetched.remarks, offline=offline)
            _take(fetched, source, content, is_local=False)
            continue
        for path in _local(source):
            _take(fetched, str(path.resolve()), sources.read(path), is_local=True)
    fetched.files.sort(key=lambda file: file.name)
    return fetched


def _take(fetched: Fetched, name: str, content: bytes, *, is_local: bool) -> None:
    fetched.sources.append(
        {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    )
    # Files of an archive or URL are named DIGEST/NAME as suricata-update names them: patterns may rely on it.
    prefix = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    if archives.is_archive(content):
        for member, data in archives.unpack(content, name, fetched.remarks).items():
            fetched.files.append(SourceFile(f"{prefix}/{member}", data))
    elif is_local:
        fetched.files.append(SourceFile(name, content))
    else:
        base = Path(urlsplit(name).path).name
        base = base if base.endswith(".rules") else f"{base}.rules"
        fetched.files.append(SourceFile(f"{prefix}/{base}", content))


def _local(source: str) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        found = sorted(file for file in path.rglob("*.rules") if file.is_file())
    elif path.exists():
        found = [path]
    else:
        found = sorted(Path(name) for name in glob.glob(source))  # noqa: PTH207 (absolute patterns)
    if not found:
        raise UserError("no rule file there", where=source, fix="give a file, folder, archive or URL")
    return found


def _from_url(url: str, cache: Path, remarks: list[str], *, offline: bool) -> bytes:
    if urlsplit(url).scheme not in ("http", "https"):
        raise UserError("only http and https are fetched", where=url, fix="give a local file by its path")
    kept = cache / hashlib.sha256(url.encode()).hexdigest()
    facts = _facts(kept)
    if offline:
        if not facts:
            raise UserError("not in the cache yet", where=url, fix="run once without --offline")
        return sources.read(kept)
    request = urllib.request.Request(url, headers={"User-Agent": f"haidang/{__version__}"})  # noqa: S310
    for header, name in (("If-None-Match", "etag"), ("If-Modified-Since", "last_modified")):
        if facts.get(name):
            request.add_header(header, facts[name])
    try:
        with _opener().open(request, timeout=TIMEOUT_SECONDS) as answer:
            content: bytes = answer.read(MAX_DOWNLOAD_BYTES + 1)
            etag, changed = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
    except urllib.error.HTTPError as error:
        if error.code == 304 and facts:
            return sources.read(kept)
        return _last_kept(url, kept, facts, remarks, f"the server answered {error.code}")
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        return _last_kept(url, kept, facts, remarks, str(reason))
    if len(content) > MAX_DOWNLOAD_BYTES:
        raise UserError(f"larger than {MAX_DOWNLOAD_BYTES >> 20} MiB", where=url, fix="is this a rule set?")
    cache.mkdir(parents=True, exist_ok=True)
    write_whole(kept, content)
    record = {"url": url, "etag": etag, "last_modified": changed, "fetched": int(time.time()),
              "sha256": hashlib.sha256(content).hexdigest()}  # fmt: skip
    write_whole(_beside(kept), json.dumps(record).encode())
    return content


def _last_kept(url: str, kept: Path, facts: dict[str, str], remarks: list[str], reason: str) -> bytes:
    if not facts:
        raise UserError(f"cannot be fetched: {reason}", where=url, fix="check the address and the network")
    remarks.append(f"{url}: {reason}; the copy in the cache is used")
    return sources.read(kept)


def _facts(kept: Path) -> dict[str, str]:
    """What is known of a cached copy; nothing when there is none, or it is not what was written."""
    try:
        record = json.loads(_beside(kept).read_bytes())
        content = kept.read_bytes()
    except (OSError, ValueError):
        return {}
    if not isinstance(record, dict) or record.get("sha256") != hashlib.sha256(content).hexdigest():
        return {}
    return {name: value for name, value in record.items() if isinstance(value, str)}


def _beside(kept: Path) -> Path:
    return kept.with_suffix(".json")


def _opener() -> urllib.request.OpenerDirector:
    """http and https only: a redirect to file: or ftp: has no handler, and fails."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor, urllib.request.UnknownHandler,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener

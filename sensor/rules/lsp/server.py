"""The language server for rule files: pygls does the protocol (LSP 3.17), this converts."""

from __future__ import annotations

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from sensor import __version__
from sensor.config import Config
from sensor.rules.findings import Finding
from sensor.rules.lsp import document, words

_SEVERITY = {
    "error": types.DiagnosticSeverity.Error,
    "skip": types.DiagnosticSeverity.Warning,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}
_KIND = {
    "keyword": types.CompletionItemKind.Keyword,
    "buffer": types.CompletionItemKind.Field,
    "value": types.CompletionItemKind.EnumMember,
    "protocol": types.CompletionItemKind.Module,
    "action": types.CompletionItemKind.Function,
    "variable": types.CompletionItemKind.Variable,
}


def make(config: Config) -> LanguageServer:
    """The server; rules are read with the variables of this configuration."""
    server = LanguageServer("haidang", __version__)

    def look(uri: str) -> None:
        held = server.workspace.get_text_document(uri)
        lines = held.source.split("\n")
        found = document.findings(held.source, held.path or uri, config)
        server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(
                uri=uri,
                version=held.version,
                diagnostics=[_diagnostic(lines, one) for one in found],
            )
        )

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def did_open(params: types.DidOpenTextDocumentParams) -> None:
        look(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(params: types.DidChangeTextDocumentParams) -> None:
        look(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(params: types.DidCloseTextDocumentParams) -> None:
        server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri=params.text_document.uri, diagnostics=[])
        )

    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION,
        types.CompletionOptions(trigger_characters=[";", ":", ",", ".", "$", "("]),
    )
    def completion(params: types.CompletionParams) -> types.CompletionList:
        held = server.workspace.get_text_document(params.text_document.uri)
        lines = held.source.split("\n")
        at = params.position
        here = lines[at.line] if at.line < len(lines) else ""
        character = _code_points(here, at.character)
        place = document.place(lines, at.line, character)
        replaced = types.Range(
            types.Position(at.line, _utf16(here, place.start)), types.Position(at.line, at.character)
        )
        items = [
            types.CompletionItem(
                label=word.text,
                kind=_KIND[word.kind],
                documentation=types.MarkupContent(types.MarkupKind.Markdown, word.about)
                if word.about
                else None,
                tags=[types.CompletionItemTag.Deprecated] if word.is_old else None,
                text_edit=types.TextEdit(replaced, word.text),
            )
            for word in words.completions(place, held.source, config)
        ]
        return types.CompletionList(is_incomplete=False, items=items)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        held = server.workspace.get_text_document(params.text_document.uri)
        lines = held.source.split("\n")
        at = params.position
        here = lines[at.line] if at.line < len(lines) else ""
        word, start, end = document.keyword_at(lines, at.line, _code_points(here, at.character))
        about = words.help_of(word) if word else ""
        if not about:
            return None
        return types.Hover(
            types.MarkupContent(types.MarkupKind.Markdown, about), _range(here, at.line, start, end)
        )

    return server


def _diagnostic(lines: list[str], finding: Finding) -> types.Diagnostic:
    line, start, end = document.span(lines, finding)
    fix = f"\n{finding.fix}" if finding.fix else ""
    keyword = f"{finding.keyword}: " if finding.keyword else ""
    return types.Diagnostic(
        range=_range(lines[line] if lines else "", line, start, end),
        message=f"{keyword}{finding.reason}{fix}",
        severity=_SEVERITY[finding.severity],
        code=finding.code or None,
        source="haidang",
    )


def _range(content: str, line: int, start: int, end: int) -> types.Range:
    return types.Range(
        types.Position(line, _utf16(content, start)), types.Position(line, _utf16(content, end))
    )


def _utf16(content: str, character: int) -> int:
    """Editors count UTF-16 code units."""
    return len(content[:character].encode("utf-16-le", "surrogatepass")) // 2


def _code_points(content: str, units: int) -> int:
    data = content.encode("utf-16-le", "surrogatepass")[: units * 2]
    return len(data.decode("utf-16-le", "ignore"))

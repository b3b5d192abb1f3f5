"""Words that identify nobody: top-level domains, and what hosts and accounts are called everywhere."""

from __future__ import annotations

from collections.abc import Sequence

TOP_LEVEL = frozenset(
    b"accountant aero agency app arpa asia bar beauty best bid biz blog buzz cat cfd click cloud club com "
    b"coop corp cricket cyou date dev digital download edu email example faith fun gov gq home icu info "
    b"int internal intranet invalid jobs lan life link live loan local localdomain media men mil mobi "
    b"monster mov museum name net network news ninja onion online org page party post pro quest racing "
    b"rest review rocks sbs science services shop site solutions space store stream support tech tel test "
    b"today top trade travel vip webcam website win work world xxx xyz zip".split()
)

GENERIC = frozenset(
    b"administr administra version bind chaos initial metadata "
    b"abuse ac admin admin$ administrator administrators anonymous api arpa cdn changepw cifs city client "
    b"co computer connect contact content corp country daemon data date dbo default delete department "
    b"device devices dns dns1 dns2 domain dtls dummy empty example explorer false file files ftp gateway "
    b"gc get guest head home host hostmaster html http https images imap img in-addr inc index info "
    b"internet ip6 ipc ipc$ json kadmin krbtgt ldap length limited linux local localdomain localhost login "
    b"ltd mail master msbrowse mshome mx mx1 mx2 mysql name netlogon no nobody none noreply ns "
    b"ns1 ns2 ns3 ns4 null options oracle pass passwd password path pop pop3 post postgres postgresql "
    b"postmaster print$ private proxy pty public put redis restrictedkrbhost root router rpcss sa sales "
    b"samba search self-signed sensor sensors server service smtp some-state ssl state static status "
    b"support system sysvol tcp termsrv test text tls true type udp unix unknown user username users value "
    b"web webmaster widgits windows workgroup www www1 www2 www3 yes".split()
)

GENERIC |= {b"default company ltd", b"internet widgits pty ltd", b"default city", b"some organization"}


def is_generic(name: bytes) -> bool:
    """Whether a word identifies nobody: of everybody's language, a top-level domain, a country, a letter."""
    return (
        name in GENERIC
        or name in TOP_LEVEL
        or len(name) == 1
        or (len(name) == 2 and name.isalpha())
        or name.startswith(b"_")
        or not name.strip(b"*-")
    )


_SECOND_LEVEL = frozenset(b"ac co com edu go gob gov info mil ne net or org in-addr ip6".split())
# RFC 2606, 6761; version.bind, id.server (RFC 4892)
_RESERVED = frozenset(b"bind example in-addr invalid ip6 local localdomain localhost server test".split())


def generic_labels(labels: Sequence[bytes]) -> list[bool]:
    """Which labels of a host name, in lower case, identify nobody. The one that was registered does, whatever
    word it is; what stands before it may be generic (www), what stands behind is a registry's."""
    if len(labels) == 1:
        return [is_generic(labels[0])]
    if labels[-1].isdigit():  # a version, a code, an address
        return [True] * len(labels)
    behind = 0
    while behind < min(2, len(labels) - 1):
        label = labels[-1 - behind]
        if not (
            label in _SECOND_LEVEL if behind else label in TOP_LEVEL or (len(label) == 2 and label.isalpha())
        ):
            break
        behind += 1
    registered = len(labels) - 1 - behind
    return [
        at > registered or (label in _RESERVED if at == registered else _is_usual(label))
        for at, label in enumerate(labels)
    ]


def _is_usual(label: bytes) -> bool:
    return is_generic(label) and (label not in TOP_LEVEL or label in GENERIC)

"""Words that identify nobody: top-level domains, and what hosts and accounts are called everywhere."""

from __future__ import annotations

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
    b"ltd mail master microsoft msbrowse mshome mx mx1 mx2 mysql name netlogon no nobody none noreply ns "
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

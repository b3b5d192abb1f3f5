//! A command line: the command and what follows it.

/// The commands of RFC 959 with its forerunners' mail commands, RFC 2428, RFC 3659 and the usual SITE commands written
/// alone: those that Suricata names in records. Others are transactions without a name.
const KNOWN: &[&str] = &[
    "ABOR", "ACCT", "ALLO", "APPE", "CDUP", "CHMOD", "CWD", "DELE", "EPRT", "EPSV", "HELP", "IDLE", "LIST",
    "MAIL", "MDTM", "MKD", "MLFL", "MODE", "MRCP", "MRSQ", "MSAM", "MSND", "MSOM", "NLST", "NOOP", "PASS",
    "PASV", "PORT", "PWD", "QUIT", "REIN", "REST", "RETR", "RMD", "RNFR", "RNTO", "SITE", "SIZE", "SMNT",
    "STAT", "STOR", "STOU", "STRU", "SYST", "TYPE", "UMASK", "USER",
];
/// The one command known by two words (RFC 4217).
const AUTH_TLS: &str = "AUTH TLS";

pub struct Command {
    /// In capitals; None: not a known command.
    pub name: Option<&'static str>,
    pub data: Option<Vec<u8>>,
    /// It asks for TLS on this connection (RFC 4217; `SSL` and `TLS-C` are older words for it).
    pub asks_tls: bool,
}

impl Command {
    /// USER with one of the names under which no password is a secret (RFC 1635).
    pub fn names_anonymous(&self) -> bool {
        let user = self.data.as_deref().unwrap_or_default().trim_ascii();
        [&b"anonymous"[..], b"ftp"].iter().any(|name| user.eq_ignore_ascii_case(name))
    }

    pub fn read(line: &[u8]) -> Command {
        let (word, rest) = match line.iter().position(|b| *b == b' ') {
            Some(at) => line.split_at(at),
            None => (line, &[][..]),
        };
        let data = rest.get(1..).unwrap_or_default();
        let auth = word.eq_ignore_ascii_case(b"AUTH");
        let asks = |mechanism: &str| auth && data.trim_ascii().eq_ignore_ascii_case(mechanism.as_bytes());
        if asks("TLS") {
            return Command { name: Some(AUTH_TLS), data: None, asks_tls: true };
        }
        let name = KNOWN.iter().find(|known| word.eq_ignore_ascii_case(known.as_bytes())).copied();
        let data = (!data.is_empty()).then(|| data.to_vec());
        Command { name, data, asks_tls: asks("TLS-C") || asks("SSL") }
    }
}

//! The commands of POP3 and how many arguments each takes.

/// Commands a client may begin with (RFC 1939 section 4, RFC 2449, RFC 2595, RFC 5034, RFC 6856).
pub const FIRST: &[&[u8]] =
    &[b"USER ", b"APOP ", b"AUTH", b"CAPA\r\n", b"STLS\r\n", b"QUIT\r\n", b"UTF8\r\n", b"LANG"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Apop,
    Auth,
    Capa,
    Lang,
    List,
    Pass,
    Retr,
    Stls,
    Top,
    Uidl,
    /// Another one of the protocol.
    Plain,
    Unknown,
}

/// How a command's arguments are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Right,
    Wrong,
    UnknownCommand,
}

/// Name, command, fewest and most arguments.
const COMMANDS: &[(&str, Command, usize, usize)] = &[
    ("USER", Command::Plain, 1, 1),
    // A password may have spaces.
    ("PASS", Command::Pass, 1, usize::MAX),
    ("STAT", Command::Plain, 0, 0),
    ("LIST", Command::List, 0, 1),
    ("RETR", Command::Retr, 1, 1),
    ("DELE", Command::Plain, 1, 1),
    ("NOOP", Command::Plain, 0, 0),
    ("RSET", Command::Plain, 0, 0),
    ("QUIT", Command::Plain, 0, 0),
    ("TOP", Command::Top, 2, 2),
    ("UIDL", Command::Uidl, 0, 1),
    ("APOP", Command::Apop, 2, 2),
    ("AUTH", Command::Auth, 0, 2),
    ("CAPA", Command::Capa, 0, 0),
    ("STLS", Command::Stls, 0, 0),
    ("UTF8", Command::Plain, 0, 0),
    ("LANG", Command::Lang, 0, 1),
];

impl Command {
    /// The command of a word, and whether it may have so many arguments.
    pub fn of(word: &[u8], args: usize) -> (Command, Count) {
        let known = COMMANDS.iter().find(|(name, ..)| name.as_bytes().eq_ignore_ascii_case(word));
        match known {
            Some((_, command, least, most)) if (*least..=*most).contains(&args) => (*command, Count::Right),
            Some((_, command, ..)) => (*command, Count::Wrong),
            None => (Command::Unknown, Count::UnknownCommand),
        }
    }

    /// Whether a good response to it goes on over several lines.
    pub fn lists(self, args: usize) -> bool {
        match self {
            Command::Capa | Command::Retr | Command::Top => true,
            Command::List | Command::Uidl | Command::Auth | Command::Lang => args == 0,
            _ => false,
        }
    }
}

//! Behind a gap: the next message is found by the look of its first line, so that what a lost packet hides is one message
//! and not the rest of the connection.

use super::connection::{HttpParser, State, Step};
use super::line;
use crate::direction::Dir;
use memchr::memmem;

/// `HTTP/1.1 200`
const STATUS_BYTES: usize = 12;

/// The longest known method, the blank behind it and what its target begins with.
const METHOD_BYTES: usize = 20;

impl HttpParser {
    /// Skips what is not the beginning of a message.
    pub(super) fn resume(&mut self, dir: Dir, data: &[u8]) -> Step {
        let (found, short) = match dir {
            Dir::ToServer => (request(data), METHOD_BYTES),
            Dir::ToClient => (status(data), STATUS_BYTES),
        };
        if let Some(at) = found {
            self.halves[dir].state = State::Line;
            return Step::Consumed(at);
        }
        // The last bytes may be the beginning of a first line.
        match data.len().saturating_sub(short.saturating_sub(1)) {
            0 => Step::Need,
            skipped => Step::Consumed(skipped),
        }
    }
}

/// Where a status line begins: wherever it looks like one, for a body need not end with a line.
fn status(data: &[u8]) -> Option<usize> {
    memmem::find_iter(data, b"HTTP/1.").find(|at| match data.get(*at..at.saturating_add(STATUS_BYTES)) {
        Some([.., minor, b' ', a, b, c]) => [minor, a, b, c].iter().all(|digit| digit.is_ascii_digit()),
        _ => false,
    })
}

/// Where a request line begins: at the beginning of a line, with a known method and a target.
fn request(data: &[u8]) -> Option<usize> {
    let starts = memchr::memchr_iter(b'\n', data).map(|at| at.saturating_add(1));
    std::iter::once(0).chain(starts).find(|at| {
        let line = data.get(*at..).unwrap_or_default();
        let line = line.get(..METHOD_BYTES).unwrap_or(line);
        line.iter().position(|byte| *byte == b' ').is_some_and(|end| {
            let (method, target) = line.split_at(end);
            line::is_known_method(method)
                && target.get(1).is_some_and(|first| matches!(first, b'/' | b'h' | b'*'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_are_found_and_nothing_else() {
        assert_eq!(status(b"of a body</html>HTTP/1.1 200 OK\r\n"), Some(16));
        assert_eq!(status(b"HTTP/1.0 404"), Some(0));
        assert_eq!(status(b"speaks HTTP/1.1, HTTP/1.1 2xx"), None);
        assert_eq!(request(b"a=b\r\nGET / HTTP/1.1\r\n"), Some(5));
        assert_eq!(request(b"OPTIONS * HTTP/1.1\r\n"), Some(0));
        assert_eq!(request(b"to GET /this\nGET it\nNOGET /"), None);
    }
}

//! URLs in the text of a message, by scheme, in lower case (Suricata manual, "SMTP", `extract-urls`).

use super::config::Config;

/// Longest line searched as one; a URL across the cut of a longer one is cut too.
const LINE_MAX: usize = 8 << 10;
/// URLs kept of one message, and the longest of them.
const URLS_MAX: usize = 256;
const URL_MAX: usize = 2048;

#[derive(Default)]
pub struct Urls {
    line: Vec<u8>,
    found: Vec<Vec<u8>>,
}

impl Urls {
    pub fn found(&self) -> &[Vec<u8>] {
        &self.found
    }

    /// Takes decoded text.
    pub fn push(&mut self, mut text: &[u8], config: &Config) {
        while let Some(at) = memchr::memchr(b'\n', text) {
            let (line, rest) = text.split_at(at);
            self.keep(line, config);
            self.end(config);
            text = rest.get(1..).unwrap_or(&[]);
        }
        self.keep(text, config);
    }

    fn keep(&mut self, mut text: &[u8], config: &Config) {
        loop {
            let room = LINE_MAX.saturating_sub(self.line.len());
            let Some((now, later)) = text.split_at_checked(room) else {
                self.line.extend_from_slice(text);
                return;
            };
            self.line.extend_from_slice(now);
            self.end(config);
            text = later;
            if text.is_empty() {
                return;
            }
        }
    }

    /// A line of text is over.
    pub fn end(&mut self, config: &Config) {
        let mut line = std::mem::take(&mut self.line);
        if !line.is_empty() && self.found.len() < URLS_MAX {
            line.make_ascii_lowercase();
            let mut hits: Vec<(usize, usize)> = Vec::new();
            for scheme in &config.url_schemes {
                hits.extend(memchr::memmem::find_iter(&line, scheme).map(|at| (at, scheme.len())));
            }
            hits.sort_unstable();
            let mut free = 0;
            for (at, scheme_len) in hits {
                if at >= free {
                    free = self.take(&line, at, scheme_len, config);
                }
            }
        }
        // The buffer is used again.
        self.line = line;
        self.line.clear();
    }

    /// Keeps the URL that begins at `at`; answers where it ends.
    fn take(&mut self, line: &[u8], at: usize, scheme_len: usize, config: &Config) -> usize {
        let start = at.saturating_add(scheme_len);
        let rest = line.get(start..).unwrap_or(&[]);
        let len = rest.iter().position(|b| ends_url(*b)).unwrap_or(rest.len()).min(URL_MAX);
        let end = start.saturating_add(len);
        let from = if config.log_url_scheme { at } else { start };
        let url = line.get(from..end).unwrap_or(&[]);
        let is_new = || !self.found.iter().any(|known| known == url);
        if len > 0 && self.found.len() < URLS_MAX && is_new() {
            self.found.push(url.to_vec());
        }
        end
    }
}

/// What ends a URL in text and HTML: Suricata's set.
fn ends_url(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b'<' | b'>' | b']')
}

//! The same bytes in any chunking give the same transactions, buffers and events.

use super::{Feed, PROTOCOL};
use crate::direction::Dir;
use proptest::prelude::*;

/// Everything a rule or a log can read of every transaction.
fn all(feed: &Feed) -> Vec<String> {
    let mut out = Vec::new();
    for id in feed.parser.tx_ids() {
        let tx = feed.tx(id);
        out.push(format!(
            "{id} {:?} {:x} {}",
            Dir::BOTH.map(|dir| tx.progress(dir)),
            tx.meta().events,
            feed.log(id)
        ));
        for dir in Dir::BOTH {
            for buffer in PROTOCOL.buffers {
                for index in 0..4 {
                    if let Some(data) = feed.buffer_at(id, dir, buffer.name, index) {
                        out.push(format!("{} {index} {}", buffer.name, data.escape_ascii()));
                    }
                }
            }
            out.push(format!("{:?}", tx.files(dir)));
        }
    }
    out
}

fn run(client: &[u8], server: &[u8], step: usize) -> Vec<String> {
    let mut feed = Feed::new();
    for piece in client.chunks(step) {
        feed.client(piece);
    }
    for piece in server.chunks(step) {
        feed.server(piece);
    }
    feed.close();
    all(&feed)
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let eol = prop_oneof![Just("\r\n"), Just("\n"), Just("\r\n"), Just("\r\n ")];
    let header = prop_oneof![
        Just("Host: a.example"),
        Just("Content-Type: text/html; charset=x"),
        Just("X: 1"),
        Just("X: 2"),
        Just("Cookie: a=b"),
        Just("nonsense"),
        Just(" : odd"),
        Just("Set-Cookie: c=d"),
    ];
    let body = prop::collection::vec(any::<u8>(), 0..60);
    (prop::collection::vec((header, eol), 0..6), body, 0..3u8).prop_map(|(headers, body, framing)| {
        let mut out = Vec::new();
        for (header, eol) in headers {
            out.extend_from_slice(header.as_bytes());
            out.extend_from_slice(eol.as_bytes());
        }
        // A folded end needs a line to fold.
        out.extend_from_slice(b"Z: z\r\n");
        if framing == 1 {
            out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
            out.extend_from_slice(&body);
        } else {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in body.chunks(7) {
                out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                out.extend_from_slice(chunk);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"0\r\n\r\n");
        }
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn chunking_changes_nothing(
        requests in prop::collection::vec(message(), 1..4),
        responses in prop::collection::vec(message(), 1..4),
        step in 1usize..40,
    ) {
        let mut client = Vec::new();
        for request in &requests {
            client.extend_from_slice(b"POST /a%20b/../c?d HTTP/1.1\r\n");
            client.extend_from_slice(request);
        }
        let mut server = Vec::new();
        for response in &responses {
            server.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
            server.extend_from_slice(response);
        }
        let whole = run(&client, &server, usize::MAX);
        prop_assert_eq!(&run(&client, &server, step), &whole);
        prop_assert_eq!(&run(&client, &server, 1), &whole);
    }
}

//! Single conversations.

use super::Feed;
use crate::app::file::FileState;
use crate::direction::Dir;
use serde_json::json;
use Dir::{ToClient, ToServer};

fn text(feed: &Feed, id: u64, dir: Dir, name: &str) -> String {
    feed.buffer(id, dir, name).map_or("(none)".into(), |b| b.escape_ascii().to_string())
}

#[test]
fn a_plain_exchange_fills_every_buffer() {
    let mut feed = Feed::new();
    feed.client(
        b"GET /a%2Fb/./../c//d?q=%41#f HTTP/1.1\r\nHost: WWW.Example.com:8080\r\nUser-Agent: ua\r\n\
          Cookie: k=v\r\nAccept: */*\r\nX-A: 1\r\nx-a: 2\r\n\r\n",
    );
    feed.server(
        b"HTTP/1.1 302 Found\r\nServer: s\r\nLocation: /e\r\nContent-Type: text/html; x=y\r\n\
          Set-Cookie: z\r\nContent-Length: 5\r\n\r\nhello",
    );
    let at = |dir, name| text(&feed, 0, dir, name);
    assert_eq!(at(ToServer, "http.uri"), "/a/c/d?q=A#f");
    assert_eq!(at(ToServer, "http.uri.raw"), "/a%2Fb/./../c//d?q=%41#f");
    assert_eq!(at(ToServer, "http.method"), "GET");
    assert_eq!(at(ToServer, "http.protocol"), "HTTP/1.1");
    assert_eq!(at(ToServer, "http.host"), "www.example.com");
    assert_eq!(at(ToServer, "http.host.raw"), "WWW.Example.com:8080");
    assert_eq!(at(ToServer, "http.cookie"), "k=v");
    assert_eq!(
        at(ToServer, "http.header"),
        "Host: WWW.Example.com:8080\\r\\nUser-Agent: ua\\r\\nAccept: */*\\r\\nX-A: 1, 2\\r\\n"
    );
    assert_eq!(
        at(ToServer, "http.header_names"),
        "\\r\\nHost\\r\\nUser-Agent\\r\\nCookie\\r\\nAccept\\r\\nX-A\\r\\n\\r\\n"
    );
    assert_eq!(feed.buffer_at(0, ToServer, "http.request_header", 3), Some(b"Accept: */*".to_vec()));
    assert_eq!(at(ToClient, "http.stat_code"), "302");
    assert_eq!(at(ToClient, "http.stat_msg"), "Found");
    assert_eq!(at(ToClient, "http.location"), "/e");
    assert_eq!(at(ToClient, "http.cookie"), "z");
    assert_eq!(at(ToClient, "http.content_len"), "5");
    assert_eq!(at(ToClient, "file.data"), "hello");
    assert_eq!(at(ToClient, "http.response_line"), "HTTP/1.1 302 Found");
    assert_eq!(feed.tx(0).number("urilen", ToServer), Some(12));
    assert_eq!(feed.events(0), ["REQUEST_SERVER_PORT_TCP_PORT_MISMATCH", "REQUEST_HEADER_REPETITION"]);
    assert_eq!(
        feed.log(0),
        json!({"hostname": "www.example.com", "http_port": 8080, "url": "/a%2Fb/./../c//d?q=%41#f",
            "http_user_agent": "ua", "http_content_type": "text/html", "http_method": "GET",
            "protocol": "HTTP/1.1", "status": 302, "redirect": "/e", "length": 5})
    );
}

#[test]
fn pipelining_keeps_order() {
    let mut feed = Feed::new();
    feed.client(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    feed.server(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\n2\r\n0\r\nT: t\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3");
    assert_eq!(feed.count(), 3);
    for id in 0..3 {
        let body = (id + 1).to_string();
        assert_eq!(text(&feed, id, ToClient, "http.response_body"), body);
        assert_eq!(text(&feed, id, ToServer, "http.uri"), format!("/{body}"));
        assert_eq!(feed.tx(id).progress(ToClient), 5);
    }
    assert_eq!(text(&feed, 1, ToServer, "http.request_body"), "abc\\r\\n");
    assert_eq!(feed.tx(1).files(ToServer)[0].name, b"/2");
    assert_eq!(feed.events(1), ["RESPONSE_CHUNK_EXTENSION"]);
    for id in 0..3 {
        feed.parser.drop_tx(id);
    }
    assert_eq!(feed.parser.tx_ids(), 3..3);
}

#[test]
fn interim_and_lonely_answers() {
    let mut feed = Feed::new();
    feed.client(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    feed.server(b"HTTP/1.1 100 Continue\r\n\r\n");
    feed.client(b"hi");
    feed.server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(text(&feed, 0, ToClient, "http.stat_code"), "200");
    feed.server(b"HTTP/1.1 404 Not Found\r\n\r\nbody").close();
    assert_eq!(feed.count(), 2);
    assert_eq!(feed.events(1), ["UNABLE_TO_MATCH_RESPONSE_TO_REQUEST"]);
    assert_eq!(feed.log(1)["url"], "/libhtp::request_uri_not_seen");
    assert_eq!(text(&feed, 1, ToClient, "file.data"), "body");
}

#[test]
fn connect_and_upgrade_leave_http() {
    let mut feed = Feed::new();
    feed.client(b"CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n");
    feed.server(b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(feed.upgrade, Some(""));
    assert_eq!(text(&feed, 0, ToServer, "http.host"), "h.example");
    let mut feed = Feed::new();
    feed.client(b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
    feed.server(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n");
    feed.server(&[0x81, 5, b'h', b'e', b'l', b'l', b'o']).close();
    assert_eq!(feed.count(), 1);
}

#[test]
fn uploads_are_files() {
    let body = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--XX\r\nContent-Disposition: form-data; \
                name=\"f\"; filename=\"evil.exe\"\r\nContent-Type: x/y\r\n\r\nMZ\r\n--X data\r\n--XX--\r\n";
    for step in [1, 3, 1000] {
        let mut feed = Feed::new();
        feed.client(
            format!("POST /up HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=XX\r\nContent-Length: {}\r\n\r\n", body.len())
                .as_bytes(),
        );
        for piece in body.as_bytes().chunks(step) {
            feed.client(piece);
        }
        let files = feed.tx(0).files(ToServer);
        assert_eq!(files.len(), 1);
        assert_eq!((files[0].name.as_slice(), files[0].size), (&b"evil.exe"[..], 12));
        assert_eq!(files[0].state, FileState::Closed);
        assert_eq!(text(&feed, 0, ToServer, "file.data"), "MZ\\r\\n--X data");
        assert_eq!(text(&feed, 0, ToServer, "file.name"), "evil.exe");
    }
}

#[test]
fn a_body_window_slides() {
    let mut feed = Feed::new();
    feed.client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    feed.server(b"HTTP/1.1 200 OK\r\nContent-Length: 102400\r\n\r\n");
    let local = super::PROTOCOL.buffers.iter().position(|b| b.name == "file.data").unwrap();
    for round in 0..10u64 {
        feed.server(&[b'a'; 10_240]);
        let view = feed.tx(0).buffer(local, 0, ToClient).map(|v| (v.offset, v.data.len() as u64));
        let total = (round + 1) * 10_240;
        match view {
            None => assert!(total < 40 << 10),
            Some((offset, len)) => {
                assert_eq!(offset + len, total);
                assert_eq!(offset, if total <= 40 << 10 { 0 } else { total - 10_240 - (16 << 10) });
            }
        }
        feed.parser.inspected(0, ToClient);
    }
    assert_eq!(feed.tx(0).files(ToClient)[0].size, 102_400);
}

#[test]
fn gaps_are_bridged_where_the_length_is_known() {
    let mut feed = Feed::new();
    feed.client(b"GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
    feed.server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    feed.parser.gap(ToClient, 4, &mut super::cx());
    feed.server(b"xyz");
    assert_eq!(text(&feed, 0, ToClient, "file.data"), "abc\\x00\\x00\\x00\\x00xyz");
    let file = &feed.tx(0).files(ToClient)[0];
    assert!(file.gaps && file.size == 10 && file.state == FileState::Truncated);
}

#[test]
fn a_gap_past_a_body_ends_its_direction_alone() {
    let mut feed = Feed::new();
    feed.client(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    feed.server(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc");
    feed.parser.gap(ToClient, 9, &mut super::cx());
    feed.server(b"what is this");
    feed.client(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(!feed.broken);
    assert_eq!(feed.count(), 2);
    let file = &feed.tx(0).files(ToClient)[0];
    assert!(file.gaps && file.state == FileState::Truncated);
    assert_eq!(feed.log(1)["url"], "/2");
    feed.server(b" nobody knowsHTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(feed.log(1)["status"], 204);
}

#[test]
fn a_gap_where_an_answer_begins_hides_that_one_alone() {
    let mut feed = Feed::new();
    feed.client(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    feed.parser.gap(ToClient, 60, &mut super::cx());
    feed.server(b"the end of a body");
    feed.client(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    for piece in [&b"HTTP/1.1 2"[..], b"00 OK\r\nContent-Length: 2\r\n", b"\r\nhi"] {
        feed.server(piece);
    }
    assert!(feed.log(0).get("status").is_none());
    assert_eq!(feed.log(1)["status"], 200);
    assert_eq!(text(&feed, 1, ToClient, "file.data"), "hi");
    feed.parser.gap(ToServer, 9, &mut super::cx());
    feed.client(b"t: a\r\n\r\nGET /3 HT");
    feed.client(b"TP/1.1\r\n\r\n");
    assert_eq!(feed.log(2)["url"], "/3");
}

#[test]
fn a_record_holds_what_its_options_ask_for() {
    let mut feed = Feed::new();
    feed.client(
        b"GET /f HTTP/1.1\r\nHost: a\r\nReferer: r\r\nAccept-Encoding: gzip\r\nX-Real: 10.0.0.7\r\n\r\n",
    );
    feed.server(b"HTTP/1.1 200 OK\r\nServer: s\r\nX-Y: z\r\nContent-Length: 2\r\n\r\nhi");
    let short = feed.record(0, &json!({}));
    assert_eq!(short, json!({"hostname": "a", "url": "/f"}));
    assert_eq!(feed.record(0, &json!({"extended": true})), feed.record(0, &json!(null)));
    assert_eq!(feed.record(0, &json!({"extended": true})), feed.log(0));
    let custom = feed.record(0, &json!({"custom": ["Accept-Encoding", "server", "date"]}));
    assert_eq!((&custom["accept_encoding"], &custom["server"]), (&json!("gzip"), &json!("s")));
    assert!(custom.get("date").is_none() && custom.get("length").is_none());
    let dumped = feed.record(0, &json!({"dump-all-headers": "response"}));
    assert!(dumped.get("request_headers").is_none());
    assert_eq!(dumped["response_headers"][1], json!({"name": "X-Y", "value": "z"}));
    assert_eq!(feed.tx(0).request_header(b"x-real"), Some(&b"10.0.0.7"[..]));
}

#[test]
fn a_piece_of_a_file_says_of_which() {
    let piece = |head: &str| {
        let mut feed = Feed::new();
        feed.client(b"GET /d/f.bin?x HTTP/1.1\r\nHost: a\r\n\r\n");
        feed.server(format!("HTTP/1.1 206 P\r\n{head}Content-Length: 3\r\n\r\nabc").as_bytes());
        let file = feed.tx(0).files(ToClient)[0].clone();
        file.piece.map(|p| (p.whole, p.total, p.at, p.bytes))
    };
    let of = |at| Some((b"a/d/f.bin".to_vec(), 9, at, b"abc".to_vec()));
    assert_eq!(piece("Content-Range: bytes 3-5/9\r\n"), of(3));
    assert_eq!(piece("Content-Range: bytes 0-2/9\r\n"), of(0));
    for whole in ["", "Content-Range: bytes 0-2/3\r\n", "Content-Range: bytes 3-5/*\r\n"] {
        assert_eq!(piece(whole), None, "{whole}");
    }
    assert_eq!(piece("Content-Encoding: x\r\nContent-Range: bytes 3-5/9\r\n"), None);
}

use super::SIP;
use crate::app::playbook::{same_in_every_chunking, Play};
use crate::app::Probe;
use crate::direction::Dir;
use serde_json::json;

const SDP: &str = "v=0\r\no=alice 1 2 IN IP4 192.0.2.1\r\ns=call\r\ni=about\r\nc=IN IP4 192.0.2.1\r\nb=AS:64\r\nb=CT:9\r\n\
    t=0 0\r\nr=7d 1h\r\nt=1 2\r\na=sendrecv\r\nm=audio 30000 RTP/AVP 0 8\r\ni=talk\r\na=rtpmap:0 pcmu/8000\r\nm=video 9 RTP/AVP 31\r\n";

fn invite() -> Vec<u8> {
    let head = "INVITE sip:bob@example.com SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.1\r\nVia: SIP/2.0/UDP 192.0.2.9\r\nf: <sip:alice@example.com>\r\n\
        To: <sip:bob@example.com>;\r\n tag=9\r\nuser-agent: phone\r\nc: application/sdp; charset=utf-8\r\n";
    format!("{head}l: {}\r\n\r\n{SDP}", SDP.len()).into_bytes()
}

fn ringing() -> Vec<u8> {
    b"SIP/2.0 180 Ringing\r\nFrom: a\r\nContent-Length: 0\r\n\r\n".to_vec()
}

#[test]
fn messages_are_transactions() {
    let talk = [(Dir::ToServer, invite()), (Dir::ToClient, ringing()), (Dir::ToClient, ringing())];
    let play = same_in_every_chunking(&SIP, &json!({}), &talk);
    let records = play.records();
    assert_eq!(records.len(), 3);
    assert_eq!(records[0]["request_line"], "INVITE sip:bob@example.com SIP/2.0");
    assert_eq!(records[0]["uri"], "sip:bob@example.com");
    let ring = json!({"version": "SIP/2.0", "code": "180", "reason": "Ringing", "response_line": "SIP/2.0 180 Ringing"});
    assert_eq!(records[1], ring);
    let expected = json!({
        "origin": "alice 1 2 IN IP4 192.0.2.1", "session_name": "call", "session_info": "about",
        "connection_data": "IN IP4 192.0.2.1", "bandwidths": ["AS:64", "CT:9"],
        "time_descriptions": [{"time": "0 0", "repeat_time": "7d 1h"}, {"time": "1 2"}], "attributes": ["sendrecv"],
        "media_descriptions": [
            {"media": "audio 30000 RTP/AVP 0 8", "media_info": "talk", "attributes": ["rtpmap:0 pcmu/8000"]},
            {"media": "video 9 RTP/AVP 31"},
        ],
    });
    assert_eq!(records[0]["sdp"], expected);
}

#[test]
fn buffers_know_compact_forms_and_repetition() {
    let mut play = Play::new(&SIP, json!({}));
    play.datagram(Dir::ToServer, &invite());
    play.datagram(Dir::ToClient, &ringing());
    let up = |name: &str| play.buffer(name, Dir::ToServer);
    assert_eq!(up("sip.via"), ["SIP/2.0/UDP 192.0.2.1", "SIP/2.0/UDP 192.0.2.9"]);
    assert_eq!(up("sip.from"), ["<sip:alice@example.com>"]);
    assert_eq!(up("sip.to"), ["<sip:bob@example.com>; tag=9"]);
    assert_eq!(up("sip.method"), ["INVITE"]);
    assert_eq!(up("sip.content_type"), ["application/sdp; charset=utf-8"]);
    assert_eq!(up("sip.content_length"), [SDP.len().to_string()]);
    assert_eq!(up("sdp.time"), ["0 0", "1 2"]);
    assert_eq!(up("sdp.media.media"), ["audio 30000 RTP/AVP 0 8", "video 9 RTP/AVP 31"]);
    assert_eq!(up("sdp.attribute"), ["sendrecv"]);
    assert_eq!(play.buffer("sip.stat_msg", Dir::ToClient), ["Ringing"]);
    assert_eq!(play.buffer("sip.protocol", Dir::ToClient), ["SIP/2.0"]);
    assert!(up("sip.stat_code").is_empty());
}

#[test]
fn frames_have_the_parts_of_a_message() {
    let play = Play::whole(&SIP, json!({}), &[(Dir::ToServer, invite())], usize::MAX);
    let names: Vec<_> = play.frames.iter().map(|f| f.0).collect();
    assert_eq!(names, ["pdu", "request.line", "request.headers", "request.body"]);
    assert_eq!(play.frames[0].2, Some(invite().len() as u64));
    assert_eq!(play.frames[3].2, Some(SDP.len() as u64));
    let sum: u64 = play.frames[1..].iter().filter_map(|f| f.2).sum();
    assert_eq!(sum + 2, invite().len() as u64);
}

#[test]
fn oddities_are_events() {
    let event = |data: &[u8]| {
        let mut play = Play::new(&SIP, json!({}));
        play.datagram(Dir::ToServer, data);
        (play.events(), play.records().len())
    };
    assert_eq!(event(b"INVITE sip:x SIP/2.0\r\nVia: a\r\n"), (vec!["incomplete_data"], 0));
    assert_eq!(event(b"nonsense\r\n\r\n"), (vec!["invalid_data"], 0));
    assert_eq!(event(b"\r\n\r\n"), (vec![], 0));
    let long = format!("BYE sip:x SIP/2.0\r\nA: {}", "a".repeat(40_000));
    let play = Play::whole(&SIP, json!({}), &[(Dir::ToServer, long.into_bytes())], 1000);
    assert!(play.broken && play.events() == ["incomplete_data"]);
}

#[test]
fn a_huge_body_is_passed_over() {
    let mut data = b"MESSAGE sip:x SIP/2.0\r\nContent-Length: 100000\r\n\r\n".to_vec();
    data.resize(data.len() + 100_000, b'x');
    data.extend(ringing());
    let play = Play::whole(&SIP, json!({}), &[(Dir::ToServer, data)], 4096);
    assert_eq!(play.records().len(), 2);
    assert!(play.txs().all(|tx| tx.meta().skip[Dir::ToClient]));
}

#[test]
fn start_lines_are_recognised() {
    let probe = |text: &str| super::probe(Dir::ToServer, text.as_bytes());
    assert_eq!(probe("OPTIONS sip:a SIP/2.0\r\n"), Probe::Yes);
    assert_eq!(probe("OPTIONS * HTTP/1.1\r\n"), Probe::No);
    assert_eq!(probe("OPTIONS sip:a SI"), Probe::Unsure);
    assert_eq!(probe("SIP/2.0 200\r\n"), Probe::Yes);
    assert_eq!(probe("SIP/2.0 20 OK\r\n"), Probe::No);
    assert_eq!(probe("a\0b"), Probe::No);
}

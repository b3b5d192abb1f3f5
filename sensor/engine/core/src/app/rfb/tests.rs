use super::RFB;
use crate::app::playbook::{same_in_every_chunking, Play};
use crate::direction::Dir::{self, ToClient, ToServer};
use serde_json::json;

fn init() -> Vec<u8> {
    let mut out = vec![3, 32, 2, 88, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
    out.extend([0, 0, 0, 5]);
    out.extend(b"Alice");
    out
}

fn session(minor: u8, security: &[(Dir, Vec<u8>)]) -> Vec<(Dir, Vec<u8>)> {
    let version = format!("RFB 003.00{minor}\n").into_bytes();
    let mut talk = vec![(ToClient, version.clone()), (ToServer, version)];
    talk.extend_from_slice(security);
    talk
}

fn vnc(result: u8) -> Vec<(Dir, Vec<u8>)> {
    vec![(ToClient, vec![0x1d; 16]), (ToServer, vec![0x54; 16]), (ToClient, vec![0, 0, 0, result])]
}

#[test]
fn a_whole_handshake_makes_the_record() {
    let mut security = vec![(ToClient, vec![2, 1, 2]), (ToServer, vec![2])];
    security.extend(vnc(0));
    security.extend([(ToServer, vec![1]), (ToClient, init()), (ToServer, vec![9; 50])]);
    let play = same_in_every_chunking(&RFB, &json!({}), &session(8, &security));
    let expected = json!([{
        "server_protocol_version": {"major": "003", "minor": "008"},
        "client_protocol_version": {"major": "003", "minor": "008"},
        "authentication": {
            "security_type": 2,
            "vnc": {"challenge": "1d".repeat(16), "response": "54".repeat(16)},
            "security_result": "OK",
        },
        "screen_shared": true,
        "framebuffer": {
            "width": 800, "height": 600, "name": "Alice",
            "pixel_format": {
                "bits_per_pixel": 32, "depth": 24, "big_endian": false, "true_color": true, "red_max": 255,
                "green_max": 255, "blue_max": 255, "red_shift": 16, "green_shift": 8, "blue_shift": 0,
            },
        },
    }]);
    assert_eq!(json!(play.records()), expected);
    assert_eq!(play.buffer("rfb.name", ToClient), ["Alice"]);
    assert_eq!(play.frames.len(), 9);
    let tx = play.txs().next().unwrap();
    assert_eq!(tx.number("rfb.sectype", ToServer), Some(2));
    assert_eq!(tx.number_at("rfb.secresult", 1, ToClient), None);
}

#[test]
fn the_older_versions_differ() {
    // 3.3: the server decides; no security at all: no result.
    let none = [(ToClient, vec![0, 0, 0, 1]), (ToServer, vec![0]), (ToClient, init())];
    let play = same_in_every_chunking(&RFB, &json!({}), &session(3, &none));
    assert_eq!(play.records()[0]["authentication"], json!({"security_type": 1}));
    assert_eq!(play.records()[0]["screen_shared"], false);
    let seven = [(ToClient, vec![1, 1]), (ToServer, vec![1]), (ToServer, vec![1]), (ToClient, init())];
    let play = same_in_every_chunking(&RFB, &json!({}), &session(7, &seven));
    assert_eq!(play.records()[0]["framebuffer"]["name"], "Alice");
    assert!(play.events().is_empty());
}

#[test]
fn failures_give_their_reason() {
    let mut security = vec![(ToClient, vec![1, 2]), (ToServer, vec![2])];
    security.extend(vnc(1));
    security.push((ToClient, b"\0\0\0\x03bad".to_vec()));
    let play = same_in_every_chunking(&RFB, &json!({}), &session(8, &security));
    assert_eq!(play.records()[0]["authentication"]["security_result"], "FAIL");
    assert_eq!(play.records()[0]["server_security_failure_reason"], "bad");
    let refused = [(ToClient, b"\0\0\0\0\x02no".to_vec())];
    let play = same_in_every_chunking(&RFB, &json!({}), &session(8, &refused));
    assert_eq!(play.records()[0]["server_security_failure_reason"], "no");
}

#[test]
fn oddities_are_events() {
    let events =
        |security: &[(Dir, Vec<u8>)]| Play::whole(&RFB, json!({}), &session(8, security), 64).events();
    assert_eq!(events(&[(ToClient, vec![1, 30]), (ToServer, vec![30])]), ["unimplemented_security_type"]);
    assert_eq!(events(&[(ToServer, vec![1])]), ["confused_state"]);
    let mut unknown = vec![(ToClient, vec![1, 2]), (ToServer, vec![2])];
    unknown.extend(vnc(7));
    assert_eq!(events(&unknown), ["unknown_security_result"]);
    let play = Play::whole(&RFB, json!({}), &session(8, &unknown), 64);
    assert_eq!(play.txs().next().unwrap().number_at("rfb.secresult", 1, ToClient), Some(3));
    let play = Play::whole(&RFB, json!({}), &[(ToClient, b"RFB 00x.008\n".to_vec())], 64);
    assert_eq!(play.events(), ["malformed_message"]);
    let mut long = vec![(ToClient, vec![0]), (ToClient, vec![0xff; 4])];
    assert_eq!(events(&std::mem::take(&mut long)), ["malformed_message"]);
}

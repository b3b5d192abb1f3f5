use super::tx::Banner;
use super::SSH;
use crate::app::playbook::{same_in_every_chunking, Play};
use crate::direction::Dir;
use serde_json::json;

fn packet(code: u8, payload: &[u8]) -> Vec<u8> {
    let padding = 6u8;
    let len = payload.len() as u32 + u32::from(padding) + 2;
    let mut out = len.to_be_bytes().to_vec();
    out.extend([padding, code]);
    out.extend_from_slice(payload);
    out.extend(vec![0; usize::from(padding)]);
    out
}

fn kex_init(lists: [&str; 10]) -> Vec<u8> {
    let mut out = vec![7; 16];
    for list in lists {
        out.extend((list.len() as u32).to_be_bytes());
        out.extend(list.as_bytes());
    }
    out.extend([0; 5]);
    packet(20, &out)
}

fn lists() -> Vec<u8> {
    kex_init(["k1,k2", "h", "e-cs", "e-sc", "m-cs", "m-sc", "c-cs", "c-sc", "", ""])
}

fn session() -> Vec<(Dir, Vec<u8>)> {
    vec![
        (Dir::ToServer, b"SSH-2.0-OpenSSH_9.9 a comment\r\n".to_vec()),
        (Dir::ToClient, b"SSH-2.0-dropbear_2022.83\r\n".to_vec()),
        (Dir::ToServer, lists()),
        (Dir::ToClient, lists()),
        (Dir::ToServer, packet(30, &[1; 40])),
        (Dir::ToClient, packet(31, &[2; 300])),
        (Dir::ToClient, packet(21, &[])),
        (Dir::ToServer, packet(21, &[])),
        (Dir::ToServer, vec![0xff; 200]),
    ]
}

#[test]
fn banners_make_the_record() {
    let play = same_in_every_chunking(&SSH, &json!({}), &session());
    let expected = json!([{
        "client": {"proto_version": "2.0", "software_version": "OpenSSH_9.9"},
        "server": {"proto_version": "2.0", "software_version": "dropbear_2022.83"},
    }]);
    assert_eq!(json!(play.records()), expected);
    assert!(play.events().is_empty() && play.no_raw && !play.bypass);
    assert_eq!(play.buffer("ssh.software", Dir::ToClient), ["dropbear_2022.83"]);
    assert!(play.buffer("ssh.hassh", Dir::ToServer).is_empty());
}

#[test]
fn hassh_is_made_when_asked_for() {
    for config in [json!({"hassh": true}), json!({"hassh": "auto", "inspected": ["ssh.hassh.server"]})] {
        let play = same_in_every_chunking(&SSH, &config, &session());
        let record = &play.records()[0];
        assert_eq!(record["client"]["hassh"]["string"], "k1,k2;e-cs;m-cs;c-cs");
        assert_eq!(record["server"]["hassh"]["string"], "k1,k2;e-sc;m-sc;c-sc");
        // echo -n 'k1,k2;e-cs;m-cs;c-cs' | md5sum
        assert_eq!(record["client"]["hassh"]["hash"], "71db070a5d0852733e20cc55aadb1543");
        assert_eq!(play.buffer("ssh.hassh.string", Dir::ToServer), ["k1,k2;e-cs;m-cs;c-cs"]);
        assert_eq!(play.buffer("ssh.hassh.server.string", Dir::ToClient), ["k1,k2;e-sc;m-sc;c-sc"]);
        assert!(play.buffer("ssh.hassh.server", Dir::ToServer).is_empty());
    }
}

#[test]
fn encryption_is_handled_as_configured() {
    for (how, no_raw, bypass) in [("bypass", true, true), ("track-only", true, false), ("full", false, false)]
    {
        let play = Play::whole(&SSH, json!({"encryption-handling": how}), &session(), 9);
        assert_eq!((play.no_raw, play.bypass), (no_raw, bypass), "{how}");
    }
}

#[test]
fn frames_name_each_packet() {
    let play = Play::whole(&SSH, json!({}), &session(), usize::MAX);
    let last = play.frames.iter().filter(|f| f.1 == Dir::ToServer).rev().take(3).collect::<Vec<_>>();
    assert_eq!(last[0], &("record.pdu", Dir::ToServer, Some(12)));
    assert_eq!(last[1], &("record.data", Dir::ToServer, Some(6)));
    assert_eq!(last[2], &("record.hdr", Dir::ToServer, Some(6)));
    assert_eq!(play.frames.len(), 3 * 6);
}

#[test]
fn oddities_are_events() {
    let events =
        |talk: &[(Dir, Vec<u8>)]| Play::whole(&SSH, json!({"hassh": true}), talk, usize::MAX).events();
    let said = |text: &[u8]| vec![(Dir::ToServer, text.to_vec())];
    assert_eq!(events(&said(b"SSH-2.0\r\n")), ["invalid_banner"]);
    assert_eq!(events(&said(b"hello\n")), ["invalid_banner"]);
    let mut long = b"SSH-2.0-x ".to_vec();
    long.resize(300, b'a');
    assert_eq!(events(&said(&long)), ["long_banner"]);
    long.extend(b"\r\n\0\0\0\x01\0\0");
    assert_eq!(events(&said(&long)), ["long_banner", "invalid_record"]);
    let mut huge = b"SSH-2.0-x\r\n".to_vec();
    huge.extend([0, 2, 0, 0, 4, 20]);
    assert_eq!(events(&said(&huge)), ["long_kex_record"]);
}

#[test]
fn a_gap_inside_a_packet_is_passed_over() {
    let mut play = Play::new(&SSH, json!({}));
    play.data(Dir::ToServer, b"SSH-2.0-x\r\n");
    let long = packet(30, &[0; 5000]);
    play.data(Dir::ToServer, &long[..100]);
    play.parser.gap(Dir::ToServer, long.len() as u64 - 200, &mut Default::default());
    play.data(Dir::ToServer, &long[long.len() - 100..]);
    play.data(Dir::ToServer, &packet(21, &[]));
    assert!(play.events().is_empty());
    assert_eq!(play.txs().next().unwrap().progress(Dir::ToServer), super::state::FINISHED);
}

#[test]
fn banners_are_taken_apart() {
    let read = |line: &str| Banner::read(line.as_bytes()).map(|b| (b.proto, b.software));
    assert_eq!(read("SSH-1.99-Cisco-1.25\r"), Some((b"1.99".to_vec(), b"Cisco-1.25".to_vec())));
    assert_eq!(read("SSH-2.0-"), Some((b"2.0".to_vec(), Vec::new())));
    assert_eq!(read("SSH--x"), None);
    assert_eq!(read("ssh-2.0-x"), None);
}

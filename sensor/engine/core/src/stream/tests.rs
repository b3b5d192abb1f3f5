//! Playbooks: a list of segments, and the state, events and readable bytes that must come of it.

use super::*;
use crate::decode::packet::L4;
use crate::time::Timestamp;

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(1000))]

    #[test]
    fn any_segments_keep_the_laws(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..3000)) {
        fuzz_stream(&data);
    }

    /// Mostly well-formed conversations, so that the states behind the handshake are reached.
    #[test]
    fn any_conversation_keeps_the_laws(
        segments in proptest::collection::vec((0u8..4, 0u8..4, 0u8..64, 0u8..64, 0u8..40), 0..80),
        settings in 0u8..8,
    ) {
        let mut data = vec![settings];
        data.extend([0, S, 0, 0, 0, 0, 255, 0]);
        data.extend([1, S | A, 0, 0, 0, 1, 255, 0]);
        data.extend([0, A, 0, 1, 0, 1, 255, 0]);
        for (control, kind, seq, ack, len) in segments {
            let flags = [A, A, A | F, A | TcpHeader::URG][usize::from(kind)];
            let urgent = if kind == 3 { 0x20 } else { 0 };
            data.extend([control & 1 | urgent, flags, 0, seq, 0, ack, 200, len]);
            data.extend((0..len).map(|i| i ^ seq));
        }
        fuzz_stream(&data);
    }
}

const S: u8 = TcpHeader::SYN;
const A: u8 = TcpHeader::ACK;
const F: u8 = TcpHeader::FIN;
const R: u8 = TcpHeader::RST;
const C: Dir = Dir::ToServer;
const V: Dir = Dir::ToClient;

pub(crate) struct Play {
    pub env: Streams,
    pub session: TcpSession,
    pub events: Vec<&'static str>,
    pub update: StreamUpdate,
    client_isn: u32,
    server_isn: u32,
    number: u64,
}

impl Play {
    pub fn new(config: StreamConfig) -> Self {
        let env = Streams::new(config);
        Play {
            session: TcpSession::new(&env),
            env,
            events: Vec::new(),
            update: StreamUpdate::default(),
            client_isn: 0xffff_fff0,
            server_isn: 0x7fff_fff8,
            number: 0,
        }
    }
    /// Sends a segment; seq and ack are relative to the ISNs.
    pub fn send(&mut self, dir: Dir, flags: u8, seq: u32, ack: u32, payload: &[u8]) -> &mut Self {
        let (mine, theirs) = match dir {
            C => (self.client_isn, self.server_isn),
            V => (self.server_isn, self.client_isn),
        };
        let header = TcpHeader {
            seq: mine.wrapping_add(seq),
            ack: if flags & A != 0 { theirs.wrapping_add(ack) } else { 0 },
            flags,
            window: 0xffff,
            ..TcpHeader::default()
        };
        self.send_header(dir, header, payload)
    }
    pub fn send_header(&mut self, dir: Dir, header: TcpHeader, payload: &[u8]) -> &mut Self {
        self.number += 1;
        let ts = Timestamp::from_parts(1_000_000 + self.number, 0);
        let mut pkt = Packet::new(payload, ts, self.number, payload.len() as u32, 1);
        pkt.ip_version = 4;
        pkt.proto = 6;
        pkt.payload_len = payload.len() as u32;
        pkt.l4 = L4::Tcp(header);
        self.update = self.session.packet(&mut self.env, &mut pkt, dir);
        self.events = pkt.events.as_slice().iter().filter_map(|&code| events::name(code)).collect();
        self
    }
    pub fn handshake(&mut self) -> &mut Self {
        self.send(C, S, 0, 0, b"").send(V, S | A, 0, 1, b"").send(C, A, 1, 1, b"").is("established", &[])
    }
    pub fn is(&mut self, state: &str, events: &[&str]) -> &mut Self {
        assert_eq!(self.session.state_name(), state);
        assert_eq!(self.events, events);
        self
    }
    /// Reads all the app stage may see; gaps as "<n>".
    pub fn read(&mut self, dir: Dir, at_end: bool) -> String {
        let mut out = String::new();
        loop {
            let side = self.session.side_mut(dir);
            let n = match side.app_chunk(at_end) {
                Chunk::None => return out,
                Chunk::Gap(n) => {
                    out.push_str(&format!("<{n}>"));
                    n
                }
                Chunk::Data(data) => {
                    out.push_str(&String::from_utf8_lossy(data));
                    data.len() as u64
                }
            };
            side.app_consume(n);
        }
    }
    pub fn reads(&mut self, dir: Dir, text: &str) -> &mut Self {
        assert_eq!(self.read(dir, false), text);
        self
    }
}

fn play() -> Play {
    Play::new(StreamConfig::default())
}

#[test]
fn data_is_readable_once_acknowledged() {
    let mut p = play();
    p.handshake()
        .send(C, A, 1, 1, b"GET /")
        .is("established", &[])
        .reads(C, "")
        .send(V, A, 1, 6, b"")
        .reads(C, "GET /")
        .send(V, A, 1, 6, b"200 OK")
        .send(C, A, 6, 7, b"")
        .reads(V, "200 OK");
    assert_eq!(p.session.side(C).size(), 6);
}

#[test]
fn closes_from_the_client() {
    let mut p = play();
    p.handshake()
        .send(C, F | A, 1, 1, b"")
        .is("close_wait", &[])
        .send(V, A, 1, 2, b"")
        .is("close_wait", &[])
        .send(V, F | A, 1, 2, b"")
        .is("last_ack", &[])
        .send(C, A, 2, 2, b"")
        .is("closed", &[]);
    assert!(p.session.side(C).app_finished());
    assert!(p.session.side(V).app_finished());
}

#[test]
fn closes_from_the_server() {
    play()
        .handshake()
        .send(V, F | A, 1, 1, b"bye")
        .is("fin_wait1", &[])
        .send(C, A, 1, 5, b"")
        .is("fin_wait2", &[])
        .reads(V, "bye")
        .send(C, F | A, 1, 5, b"")
        .is("time_wait", &[])
        .send(V, A, 5, 2, b"")
        .is("closed", &[]);
}

#[test]
fn reset_closes_and_ends_the_wait_for_what_its_sender_sent() {
    let mut p = play();
    p.handshake().send(C, A, 1, 1, b"unacked").send(C, R, 8, 0, b"").is("closed", &[]);
    assert_eq!(p.read(C, false), "unacked");
    p = play();
    p.handshake().send(C, A, 1, 1, b"unacked").send(V, R, 1, 0, b"").is("closed", &[]);
    assert_eq!(p.read(C, false), "");
    assert_eq!(p.read(C, true), "unacked");
}

#[test]
fn raw_inspection_does_not_wait_once_the_client_closes() {
    let raw = |p: &Play, dir| p.session.side(dir).raw_chunk(false).map(|raw| raw.data.to_vec());
    let mut p = play();
    p.handshake().send(C, A, 1, 1, b"ask").send(V, A, 1, 4, b"tell").send(C, A, 4, 5, b"");
    assert_eq!((raw(&p, C), raw(&p, V)), (None, None));
    p.send(C, F | A, 4, 5, b"").is("close_wait", &[]);
    assert_eq!((raw(&p, C), raw(&p, V)), (Some(b"ask".to_vec()), Some(b"tell".to_vec())));

    p = play();
    p.handshake().send(C, A, 1, 1, b"ask").send(V, F | A, 1, 4, b"tell").is("fin_wait1", &[]);
    p.send(C, F | A, 4, 6, b"").is("time_wait", &[]);
    assert_eq!((raw(&p, C), raw(&p, V)), (None, None));
    p.send(V, A, 6, 5, b"").is("closed", &[]);
    assert_eq!((raw(&p, C), raw(&p, V)), (Some(b"ask".to_vec()), Some(b"tell".to_vec())));
}

#[test]
fn a_fin_that_comes_again_ends_nothing() {
    play()
        .handshake()
        .send(V, F | A, 1, 1, b"")
        .send(C, F | A, 1, 1, b"")
        .is("time_wait", &[])
        .send(V, F | A, 1, 2, b"")
        .is("time_wait", &[])
        .send(C, A, 2, 2, b"")
        .is("closed", &[]);
    play()
        .handshake()
        .send(C, F | A, 1, 1, b"")
        .send(V, A, 1, 2, b"")
        .send(C, F | A, 1, 1, b"")
        .is("close_wait", &["closewait_fin_out_of_window"])
        .send(V, F | A, 1, 2, b"")
        .send(C, F | A, 1, 2, b"")
        .is("last_ack", &[])
        .send(C, A, 2, 2, b"")
        .is("closed", &[]);
}

#[test]
fn a_reset_is_taken_back_when_its_end_goes_on() {
    let mut p = play();
    p.handshake().send(C, A, 1, 1, b"data").send(C, R | A, 5, 1, b"");
    p.send(C, A, 5, 1, b"").is("closed", &[]); // a straggler
    p.send(C, A, 1, 1, b"data").is("closed", &[]);
    p.send(C, A, 5, 1, b" goes on").is("established", &["suspected_rst_inject"]);
    p.send(V, A, 1, 13, b"").reads(C, "data goes on");
    p = play();
    p.handshake();
    let (seq, ack) = (p.client_isn.wrapping_add(1), p.server_isn.wrapping_add(1));
    let reset = TcpHeader { seq, ack, flags: R | A, signed: true, ..TcpHeader::default() };
    p.send_header(C, reset, b"").is("closed", &[]);
    p.send(C, A, 1, 1, b"").is("established", &["suspected_rst_inject"]);
}

#[test]
fn reset_with_wrong_sequence_is_refused() {
    play().handshake().send(C, R, 5000, 0, b"").is("established", &[]);
}

#[test]
fn gap_appears_when_data_beyond_is_acknowledged() {
    let mut p = play();
    p.handshake()
        .send(C, A, 1, 1, b"abc")
        .send(C, A, 10, 1, b"xyz")
        .send(V, A, 1, 4, b"")
        .reads(C, "abc")
        .send(V, A, 1, 13, b"")
        .reads(C, "<6>xyz");
    assert!(p.session.side(C).had_gap());
}

#[test]
fn four_way_and_five_way_handshakes() {
    play()
        .send(C, S, 0, 0, b"")
        .send(V, S, 0, 0, b"")
        .send(C, S | A, 0, 1, b"")
        .is("syn_recv", &[])
        .send(V, A, 1, 1, b"")
        .is("established", &[]);
    play()
        .send(C, S, 0, 0, b"")
        .send(V, A, 1, 1, b"")
        .send(V, S, 0, 0, b"")
        .send(C, S | A, 0, 1, b"")
        .send(V, A, 1, 1, b"")
        .is("established", &[]);
}

#[test]
fn keepalives_change_nothing() {
    play()
        .handshake()
        .send(C, A, 1, 1, b"hi")
        .send(V, A, 1, 3, b"")
        .send(C, A, 2, 1, b"")
        .is("established", &[])
        .send(V, A, 1, 3, b"")
        .is("established", &[])
        .send(C, A, 3, 1, b"!")
        .send(V, A, 1, 4, b"")
        .reads(C, "hi!");
}

#[test]
fn wrong_synack_is_refused() {
    play()
        .send(C, S, 0, 0, b"")
        .send(V, S | A, 0, 77, b"")
        .is("syn_sent", &["3whs_synack_with_wrong_ack"])
        .send(C, S | A, 0, 1, b"")
        .is("syn_sent", &["3whs_synack_in_wrong_direction"]);
}

#[test]
fn a_hole_behind_the_ready_bytes_is_told_once_it_is_final() {
    let mut play = Play::new(StreamConfig::default());
    play.handshake().send(C, A, 1, 1, b"ab").send(C, A, 5, 1, b"ef");
    assert!(!play.session.side(C).app_gap_behind(2, false), "may still be filled");
    assert!(play.session.side(C).app_gap_behind(2, true), "not after the end");
    play.send(V, A, 1, 7, b"");
    assert!(play.session.side(C).app_gap_behind(2, false), "acknowledged");
    play.session.side_mut(C).app_consume(4);
    assert!(!play.session.side(C).app_gap_behind(2, false), "no hole behind the last byte");
}

#[test]
fn what_alerts_show_names_the_holes() {
    let mut p = play();
    p.handshake().send(C, A, 1, 1, b"abc").send(C, A, 10, 1, b"xyz");
    assert_eq!(p.session.side(C).held_text(99), b"abc[6 bytes missing]xyz");
    assert_eq!(p.session.side(C).held_text(5), b"abc[6");
}

#[test]
fn data_that_nobody_acknowledged_before_a_reset_is_not_over() {
    let mut p = play();
    p.handshake().send(C, A, 1, 1, b"late").send(V, A | R, 1, 1, b"");
    assert!(p.session.is_closed() && !p.session.side(C).app_finished());
    assert_eq!(p.read(C, true), "late");
    assert!(p.session.side(C).app_finished());
}

//! Any bytes, in any chunks, with gaps and closes, through every parser of the registry: none may panic, stall or answer against
//! its contract, and everything it shows must stand being read at every step.

use super::playbook::{check_changed, seen};
use super::{LogFor, Outcome, ParseCx, Parser, Protocol, PROTOCOLS};
use crate::direction::Dir;
use crate::json::JsonWriter;
use proptest::prelude::*;

/// The driver gives up on a parser that leaves more than this.
const PENDING_MAX_BYTES: usize = 128 * 1024;

#[derive(Clone, Debug)]
enum Act {
    Data(Dir, Vec<u8>),
    Gap(Dir, u16),
    Close(Dir),
    /// Frees the older half of the transactions, as the driver would.
    Drop,
}

/// Words that carry a parser past its first bytes.
const WORDS: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\n",
    b"POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n",
    b"Content-Encoding: gzip, deflate\r\n",
    b"Content-Type: multipart/form-data; boundary=x\r\n",
    b"Content-Range: bytes 1-2/3\r\n",
    b"--x\r\nContent-Disposition: form-data; filename=f\r\n\r\n",
    b"\r\n\r\n",
    b"\n\r",
    b"220 x\r\n250-PIPELINING\r\n354 x\r\n",
    b"EHLO x\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n",
    b"BDAT 30\r\n",
    b"BDAT 9 LAST\r\n",
    b"Content-Type: message/rfc822\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n",
    b"Content-Disposition: x; filename*0*=a'b'%41\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41=\r\n",
    b"Content-Disposition: x; filename=f\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--x--\r\n",
    b"\r\n.\r\n",
    b"+OK x\r\n+ \r\n",
    b"AUTH\r\nRETR 1\r\nSTLS\r\n",
    b"a STARTTLS\r\n",
    b"\xff\xfa\x18\x00xterm\xff\xf0\xff\xfd\x03ls\r\n",
    b"5;\r\nabcde\r\n",
    b"Content-Encoding: br\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x40",
    b"\x00\x00\x0a\x01\x04\x00\x00\x00\x01\x82\x86\x84\x41\x05\x61\x2e\x62\x2e\x63",
    b"\x00\x00\x03\x01\x04\x00\x00\x00\x01\x88\x5f\x00",
    b"\x00\x00\x05\x00\x09\x00\x00\x00\x01\x01abc\x00",
    b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08",
    b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
    b"\x41\x03Hel",
    b"\x80\x02lo",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    b"\x16\x03\x01\x00\x10\x01\x00\x00\x0c",
    b"INVITE sip:a SIP/2.0\r\nc: application/sdp\r\nl: 99999\r\n\r\n",
    b"SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\nl: 22\r\n\r\nv=0\r\nt=0 0\r\nm=a 1 b 2\r\n",
    b"RFB 003.008\n",
    b"\x01\x02",
    b"\x02",
    b"\0\0\0\0",
    b"\x03\x20\x02\x58\x20\x18\0\x01\0\xff\0\xff\0\xff\x10\x08\0\0\0\0\0\0\0\x01a",
    b"\0\0\0\x08\x04\xd2\x16\x2f",
    b"\0\0\0\x11\0\x03\0\0user\0me\0\0",
    b"Q\0\0\0\x0cselect;\0",
    b"d\0\0\0\x06ab",
    b"R\0\0\0\x08\0\0\0\x0a",
    b"T\0\0\0\x06\0\x01D\0\0\0\x0b\0\x01\0\0\0\x01aE\0\0\0\x09SFOO\0Z\0\0\0\x05I",
    b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0",
    b"\x03\0\0\x29\x02\xf0\x80\x7f\x65\x20\x04\0\x04\0\x01\0\x30\0\x30\0\x30\0\x04\x20\0\x05\0\x14\x7c\0\x01\x00\0\x08\0",
    b"SSH-2.0-OpenSSH_9.9\r\n",
    b"\0\0\0\x0c\x04\x15",
    b"\0\0\0\x44\x04\x14cookie cookie 16\0\0\0\x01k\0\0\0\x01h\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"USER a\r\nPORT 1,2,3,4,5,6\r\nRETR b\r\n",
    b"EPRT |1|1.2.3.4|99|\r\nEPSV\r\nPASV\r\n",
    b"220-a\r\n220 b\r\n331 c\r\n200 d\r\n",
    b"229 (|||99|)\r\n227 (1,2,3,4,5,6)\r\n",
    b"\x00\x01name\x00octet\x00",
    b"\0\0\0\x60\xffSMB\x72\0\0\0\0\x18\x01\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0c\0\x02NT LM 0.12\0",
    b"\0\0\0\x78\xfeSMB\x40\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\0\0\0\0\0\0\0\0\x31\0\x70\0\x08\0\0\0\0\0\0\0\0\0\0\0\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07",
    b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0\x01\0\0\0\xd0\x16\xd0\x16\0\0\0\0\x01\0\0\0\0\0\x01\0",
    b"\x05\0\0\x03\x10\0\0\0\x1c\0\0\0\x01\0\0\0\0\0\0\0\0\0\x0f\0abcd",
    b"NTLMSSP\0\x03\0\0\0",
    b"\x6a\x15\x30\x13\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\xa4\x07\x30\x05\xa0\x03\x03\x01\x00",
    b"\x00\x00\x00\x0c\x7e\x0a\x30\x08\xa0\x03\x02\x01\x05\xa1\x01\x02",
    b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00",
    b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
    b"\x30\x0a\x02\x01\x01\x64\x05\x04\x01a\x30\x00",
    b"\x30\x18\x02\x01\x00\x04\x01p\xa0\x10\x02\x01\x05\x02\x01\x00\x02\x01\x00\x30\x05\x30\x03\x06\x01\x2b",
    b"AAAAAAAABBBBBBBB\x21\x20\x22\x08\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00\x00\x04",
    b"AAAAAAAABBBBBBBB\x01\x10\x02\x00\x00\x00\x00\x00\x00\x00\x00\x28\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x01",
    b"\x80\0\0\x34\0\0\0\x01\0\0\0\0\0\0\0\x02\0\x01\x86\xa3\0\0\0\x03\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01a\0\0\0",
    b"\x80\0\0\x20\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\0\0\0\x01\0\0\0\0\0\0\0\x02\0\x01\x86\xa3\0\0\0\x04\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\x10\x19\x00\x04MQTT\x05\xc2\x00\x3c\x03\x21\x00\x14\x00\x01c\x00\x01u\x00\x03pwd",
    b"\x32\x0a\x00\x01t\x00\x09\x00body",
    b"\x82\x0c\x00\x07\x00\x00\x02ab\x01\x00\x01c\x02",
    b"\x90\x05\x00\x07\x00\x01\x02",
    b"\xc3\0\0\0\x01\x08abcdefgh\0\0\x40\x40",
    b"\xc3Q046\x50abcdefgh\0\0\0\x01 authenticate\xa0\x01\x00\x20CHLO\x02\x00\0\0SNI\0\x05\0\0\0UAID\x08\0\0\0a.exaA/1",
    b"\x05\x64\x12\xc4\x0a\x00\x01\x00\x56\x86\xc0\xc1\x02\x32\x01\x07\x01\x01\x02\x03\x04\x05\x06\xd2\x9b",
    b"\x6f\0\x18\0\x07\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\xb2\0\x08\0\x0e\x03\x20\xf6\x24\x01\x30\x06",
    b"\0\x01\0\0\0\x0b\x0a\x10\x00\x20\x00\x02\x04\x00\x01\x00\x02",
    b"\0\x01\0\0\0\x03\x0a\x90\x02",
    b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
    b"\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01",
];

fn dir() -> impl Strategy<Value = Dir> {
    prop_oneof![Just(Dir::ToServer), Just(Dir::ToClient)]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (dir(), prop::collection::vec(any::<u8>(), 0..80)).prop_map(|(dir, data)| Act::Data(dir, data)),
        8 => (dir(), prop::sample::select(WORDS), 0usize..80)
            .prop_map(|(dir, word, cut)| Act::Data(dir, word[..cut.clamp(1, word.len())].to_vec())),
        1 => (dir(), any::<u16>()).prop_map(|(dir, len)| Act::Gap(dir, len)),
        1 => dir().prop_map(Act::Close),
        1 => Just(Act::Drop),
    ]
}

/// Reads all there is, as detection and log would.
fn look(protocol: &Protocol, parser: &mut dyn Parser) {
    for id in parser.tx_ids() {
        let Some(tx) = parser.tx(id) else { continue };
        for dir in Dir::BOTH {
            assert!(tx.progress(dir) <= protocol.complete[dir], "{}", protocol.name);
            for (local, buffer) in protocol.buffers.iter().enumerate() {
                let instances = if buffer.multi { 100 } else { 1 };
                let _ = (0..instances).take_while(|index| tx.buffer(local, *index, dir).is_some()).count();
            }
            for keyword in ["urilen", "http.stat_code", "http.content_len", "tls.version"] {
                let _ = tx.number(keyword, dir);
            }
            for number in protocol.numbers {
                let _ = (0..100).take_while(|index| tx.number_at(number.name, *index, dir).is_some()).count();
            }
            let _ = tx.files(dir).len();
        }
        for what in [LogFor::Record, LogFor::Alert] {
            let mut out = JsonWriter::new();
            out.open();
            tx.log(&mut out, what);
            out.close();
            let read: Result<serde_json::Value, _> = serde_json::from_slice(out.as_bytes());
            assert!(read.is_ok(), "{}", String::from_utf8_lossy(out.as_bytes()));
        }
        for dir in Dir::BOTH {
            parser.inspected(id, dir);
        }
    }
}

fn play(protocol: &Protocol, acts: &[Act]) {
    let mut parser = (protocol.new)(&serde_json::Value::Null);
    let mut pending = [Vec::new(), Vec::new()];
    let mut wanted = [0usize; 2];
    for act in acts {
        let before = seen(protocol, parser.as_ref());
        let mut cx =
            ParseCx { datagram: !protocol.tcp, src_port: 40_000, dst_port: 80, ..ParseCx::default() };
        let outcome = match act {
            Act::Data(dir, data) => {
                let held: &mut Vec<u8> = &mut pending[dir.index()];
                held.extend_from_slice(data);
                if held.len() < wanted[dir.index()] {
                    continue;
                }
                let outcome = parser.parse(*dir, held, &mut cx);
                let mut used = held.len();
                wanted[dir.index()] = 0;
                if let Outcome::NeedMore { consumed, needed } = outcome {
                    assert!(consumed <= held.len() && needed > held.len() - consumed, "{}", protocol.name);
                    assert!(needed <= PENDING_MAX_BYTES, "{}", protocol.name);
                    wanted[dir.index()] = needed;
                    used = consumed;
                }
                held.drain(..used);
                outcome
            }
            Act::Gap(dir, len) => {
                pending[dir.index()].clear();
                wanted[dir.index()] = 0;
                parser.gap(*dir, u64::from(*len), &mut cx)
            }
            Act::Close(dir) => {
                parser.close(*dir, &mut cx);
                Outcome::Done
            }
            Act::Drop => {
                let ids = parser.tx_ids();
                for id in ids.start..ids.start + (ids.end - ids.start) / 2 {
                    parser.drop_tx(id);
                }
                Outcome::Done
            }
        };
        if !matches!(act, Act::Drop) {
            check_changed(protocol, parser.as_mut(), &before);
        }
        look(protocol, parser.as_mut());
        if outcome == Outcome::Broken || cx.bypass || cx.upgrade.is_some() {
            break;
        }
    }
    let before = seen(protocol, parser.as_ref());
    for dir in Dir::BOTH {
        parser.close(dir, &mut ParseCx { eof: true, ..ParseCx::default() });
    }
    check_changed(protocol, parser.as_mut(), &before);
    look(protocol, parser.as_mut());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn every_parser_stands_any_bytes(acts in prop::collection::vec(act(), 1..30)) {
        for protocol in PROTOCOLS {
            play(protocol, &acts);
        }
    }
}

/// However much a parser is given without being asked, it keeps no list of changes longer than what it holds.
#[test]
fn no_parser_keeps_an_endless_list_of_changes() {
    const TIMES: usize = 400;
    for protocol in PROTOCOLS {
        for word in WORDS {
            for dir in Dir::BOTH {
                let mut parser = (protocol.new)(&serde_json::Value::Null);
                let mut cx =
                    ParseCx { datagram: !protocol.tcp, src_port: 40_000, dst_port: 80, ..ParseCx::default() };
                for _ in 0..TIMES {
                    if parser.parse(dir, word, &mut cx) == Outcome::Broken {
                        break;
                    }
                }
                let held = parser.tx_ids().filter(|id| parser.tx(*id).is_some()).count();
                let told = parser.take_changed().map_or(0, |ids| ids.len());
                assert!(told <= held, "{}: {told} of {held}", protocol.name);
            }
        }
    }
}

//! Every form of compression in every chunking, and what is none.

use crate::app::http::decompress::{Decoder, Trouble};
use crate::app::http::encoding::{plan, Coding};
use std::io::Write;
use std::sync::Arc;

fn undo(layers: usize, data: &[u8], step: usize) -> (Vec<u8>, Trouble) {
    let mut out = Vec::new();
    let mut decoder = Decoder::new(&vec![Coding::Deflate; layers], 1 << 20, &Arc::default());
    let mut trouble = Trouble::default();
    for chunk in data.chunks(step.max(1)) {
        let t = decoder.push(chunk, &mut |b| {
            out.extend_from_slice(b);
            true
        });
        trouble.failed |= t.failed;
        trouble.bomb |= t.bomb;
    }
    let t = decoder.finish(&mut |b| {
        out.extend_from_slice(b);
        true
    });
    trouble.failed |= t.failed;
    (out, trouble)
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    w.write_all(data).unwrap();
    w.finish().unwrap()
}
fn raw(data: &[u8]) -> Vec<u8> {
    let mut w = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    w.write_all(data).unwrap();
    w.finish().unwrap()
}
fn zlib(data: &[u8]) -> Vec<u8> {
    let mut w = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    w.write_all(data).unwrap();
    w.finish().unwrap()
}

#[test]
fn every_form_in_every_chunking() {
    let text: Vec<u8> =
        (0..20_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes()).collect();
    for step in [1, 2, 7, 1000, 1 << 20] {
        for form in [gzip(&text), raw(&text), zlib(&text)] {
            assert!(undo(1, &form, step).0 == text, "step {step}");
        }
        assert!(undo(2, &gzip(&raw(&text)), step).0 == text);
        assert_eq!(undo(2, &gzip(b"short"), step).0, b"short");
        assert_eq!(undo(1, b"X5O!P%@AP[4 plain text", step).0, b"X5O!P%@AP[4 plain text");
        let mut two = gzip(b"one ");
        two.extend(gzip(b"two"));
        assert_eq!(undo(1, &two, step).0, b"one two");
    }
}

#[test]
fn a_cut_stream_gives_what_it_has() {
    let text = b"The quick brown fox jumps over the lazy dog".repeat(100);
    let mut cut = gzip(&text);
    cut.truncate(cut.len() - 12);
    let (out, _) = undo(1, &cut, 50);
    assert!(out.len() > 100 && text.starts_with(&out));
}

#[test]
fn a_bomb_stops() {
    let zeros = vec![0u8; 64 << 20];
    let bomb = gzip(&gzip(&zeros));
    let mut total = 0u64;
    let trouble = Decoder::new(&[Coding::Deflate; 2], 1 << 20, &Arc::default()).push(&bomb, &mut |b| {
        total += b.len() as u64;
        true
    });
    assert!(trouble.bomb && total < 8 << 20);
}

#[test]
fn encodings_are_planned_as_suricata_does() {
    let layers = |value: &[u8]| {
        let plan = plan(value, 2, false);
        (plan.layers.len(), plan.too_many, plan.abnormal)
    };
    assert_eq!(layers(b"gzip"), (1, false, false));
    assert_eq!(layers(b"X-Gzip, deflate"), (2, false, false));
    assert_eq!(layers(b"identity, identity, gzip"), (0, true, false));
    assert_eq!(layers(b"gzip x"), (1, false, true));
    assert_eq!(layers(b"\0gzip;"), (1, false, true));
    assert_eq!(layers(b"foo"), (0, false, true));
}

/// "hello, hello, hello" as brotli with a window of 22 bits, stored.
const BROTLI: &[u8] = b"\x0b\x09\x80hello, hello, hello\x03";

#[test]
fn brotli_is_undone_and_its_window_bounded() {
    let places: Arc<()> = Arc::default();
    for step in 1..BROTLI.len() {
        let mut out = Vec::new();
        let mut decoder = Decoder::new(&[Coding::Brotli], 1 << 20, &places);
        for chunk in BROTLI.chunks(step) {
            assert!(
                !decoder
                    .push(chunk, &mut |b| {
                        out.extend_from_slice(b);
                        true
                    })
                    .failed
            );
        }
        decoder.finish(&mut |b| {
            out.extend_from_slice(b);
            true
        });
        assert_eq!(out, b"hello, hello, hello");
    }
    // The first byte asks for a window of 24 bits.
    let mut out = Vec::new();
    let mut decoder = Decoder::new(&[Coding::Brotli], 1 << 20, &places);
    assert!(
        decoder
            .push(b"\x0frest", &mut |b| {
                out.extend_from_slice(b);
                true
            })
            .failed
    );
    assert_eq!(out, b"\x0frest");
}

#[test]
fn lzma_is_undone_when_asked_for() {
    let mut packed = Vec::new();
    lzma_rs::lzma_compress(&mut &b"hello, hello, hello"[..], &mut packed).unwrap();
    assert_eq!(plan(b"lzma", 2, true).layers, [Coding::Lzma]);
    let mut out = Vec::new();
    let mut decoder = Decoder::new(&[Coding::Lzma], 1 << 20, &Arc::default());
    for chunk in packed.chunks(3) {
        decoder.push(chunk, &mut |b| {
            out.extend_from_slice(b);
            true
        });
    }
    decoder.finish(&mut |b| {
        out.extend_from_slice(b);
        true
    });
    assert_eq!(out, b"hello, hello, hello");
}

#[test]
fn a_request_is_inspected_as_the_server_reads_it() {
    for (coding, body) in [("gzip", gzip(b"cmd=whoami")), ("deflate", zlib(b"cmd=whoami"))] {
        let mut feed = super::Feed::new();
        let head = format!(
            "POST /f HTTP/1.1\r\nHost: a\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        feed.client(head.as_bytes()).client(&body);
        let seen = feed.buffer(0, crate::direction::Dir::ToServer, "http.request_body");
        assert_eq!(seen.as_deref(), Some(&b"cmd=whoami"[..]));
    }
}

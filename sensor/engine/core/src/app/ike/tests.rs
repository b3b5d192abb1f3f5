//! Bytes in, records out.

use super::*;
use crate::app::LogFor;
use crate::json::JsonWriter;

fn header(next: u8, version: u8, exchange: u8, flags: u8, responder: u8, body: &[u8]) -> Vec<u8> {
    let mut out = [[1u8; 8], [responder; 8]].concat();
    out.extend([next, version, exchange, flags, 0, 0, 0, 7]);
    out.extend((28 + body.len() as u32).to_be_bytes());
    out.extend(body);
    out
}

fn payload(next: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![next, 0];
    out.extend((4 + content.len() as u16).to_be_bytes());
    out.extend(content);
    out
}

/// A main mode message: AES-CBC-128, SHA, group 2.
fn main_mode(responder: u8) -> Vec<u8> {
    let attributes =
        b"\x80\x01\x00\x07\x80\x0e\x00\x80\x80\x02\x00\x02\x80\x04\x00\x02\x00\x0c\x00\x04\x00\x01\x51\x80";
    let transform = payload(0, &[&b"\x01\x01\x00\x00"[..], attributes].concat());
    let proposal = payload(0, &[&b"\x01\x01\x00\x01"[..], &transform].concat());
    let association = payload(13, &[&b"\x00\x00\x00\x01\x00\x00\x00\x01"[..], &proposal].concat());
    header(1, 0x10, 2, 0, responder, &[association, payload(0, b"\x4a\x13")].concat())
}

/// IKE_SA_INIT with one proposal of these (type, identifier) transforms.
fn init(flags: u8, transforms: &[(u8, u16)]) -> Vec<u8> {
    let transforms: Vec<u8> = transforms
        .iter()
        .flat_map(|(kind, id)| payload(3, &[&[*kind, 0][..], &id.to_be_bytes()].concat()))
        .collect();
    let proposal = payload(0, &[&b"\x01\x01\x00\x04"[..], &transforms].concat());
    let rest = [payload(40, b"\x00\x0e\x00\x00KEY"), payload(41, b"NONCE"), payload(0, b"\x00\x00\x00\x0e")];
    header(33, 0x20, 34, flags, 2, &[payload(34, &proposal), rest.concat()].concat())
}

fn play(messages: &[(Dir, Vec<u8>)]) -> (IkeParser, Vec<serde_json::Value>) {
    let mut parser = IkeParser::new();
    for (dir, data) in messages {
        parser.parse(*dir, data, &mut ParseCx { datagram: true, ..ParseCx::default() });
    }
    let records = parser
        .tx_ids()
        .filter_map(|id| parser.tx(id))
        .map(|tx| {
            let mut out = JsonWriter::new();
            out.open();
            tx.log(&mut out, LogFor::Record);
            out.close();
            serde_json::from_slice(out.as_bytes()).unwrap()
        })
        .collect();
    (parser, records)
}

#[test]
fn reads_a_main_mode() {
    let secret = header(5, 0x10, 2, 1, 2, b"encrypted");
    let (parser, records) =
        play(&[(Dir::ToServer, main_mode(0)), (Dir::ToClient, main_mode(2)), (Dir::ToServer, secret)]);
    let chosen = serde_json::json!({
        "alg_enc": "EncAesCbc", "alg_enc_raw": 7, "sa_key_length": "Unknown", "sa_key_length_raw": 128,
        "alg_hash": "HashSha", "alg_hash_raw": 2, "alg_dh": "GroupAlternate1024BitModpGroup", "alg_dh_raw": 2,
        "sa_life_duration": "Unknown", "sa_life_duration_raw": 86400,
    });
    assert_eq!(records[0]["ikev1"]["client"]["proposals"][0], chosen);
    assert_eq!(records[0]["ikev1"]["vendor_ids"][0], "4a13");
    assert!(records[0].get("alg_enc").is_none());
    assert_eq!(records[1]["alg_hash"], "HashSha");
    assert_eq!(records[1]["payload"][3], "VendorID");
    assert_eq!(records[2]["payload"], serde_json::json!(["Identification"]));
    assert_eq!(records[2]["ikev1"], serde_json::json!({"doi": 1, "encrypted_payloads": true}));
    let request = parser.tx(0).unwrap();
    assert_eq!(request.buffer(0, 0, Dir::ToServer).unwrap().data, b"0101010101010101");
    assert_eq!(request.buffer(2, 0, Dir::ToServer).unwrap().data, b"4a13");
    let response = parser.tx(1).unwrap();
    assert_eq!(response.buffer(1, 0, Dir::ToClient).unwrap().data, b"0202020202020202");
    assert_eq!(response.number("alg_hash", Dir::ToClient), Some(2));
    assert_eq!(request.number("alg_hash", Dir::ToServer), None);
}

#[test]
fn reads_an_initial_exchange() {
    let good = [(1, 12), (2, 5), (3, 12), (4, 14)];
    let (parser, records) = play(&[(Dir::ToServer, init(8, &good)), (Dir::ToClient, init(0x20, &good))]);
    assert_eq!(records[0]["role"], "initiator");
    let expected = serde_json::json!({
        "version_major": 2, "version_minor": 0, "init_spi": "0101010101010101", "resp_spi": "0202020202020202",
        "message_id": 7, "exchange_type": 34, "role": "responder", "alg_enc": "ENCR_AES_CBC",
        "alg_auth": "AUTH_HMAC_SHA2_256_128", "alg_prf": "PRF_HMAC_SHA2_256", "alg_dh": "Modp2048", "alg_esn": "NoESN",
        "payload": ["SecurityAssociation", "KeyExchange", "Nonce", "Notify", "NoNextPayload"],
        "ikev2": {"errors": 1, "notify": ["NO_PROPOSAL_CHOSEN"]},
    });
    assert_eq!(records[1], expected);
    let tx = parser.tx(1).unwrap();
    assert_eq!(tx.number("alg_enc", Dir::ToClient), Some(12));
    assert_eq!(tx.number("ike.nonce_payload_length", Dir::ToClient), Some(5));
    assert_eq!(tx.buffer(3, 0, Dir::ToClient).unwrap().data, b"KEY");
    assert_eq!(tx.meta().events, 0);
}

#[test]
fn weak_proposals_are_events() {
    let events = |transforms: &[(u8, u16)]| {
        play(&[(Dir::ToClient, init(0x20, transforms))]).0.tx(0).unwrap().meta().events
    };
    let bit = |event: Event| 1u128 << event as u8;
    assert_eq!(events(&[(1, 3), (2, 5), (3, 12), (4, 14)]), bit(Event::WeakCryptoEnc));
    assert_eq!(events(&[(1, 12), (2, 1), (3, 12), (4, 14)]), bit(Event::WeakCryptoPrf));
    assert_eq!(events(&[(1, 12), (2, 5), (3, 2), (4, 14)]), bit(Event::WeakCryptoAuth));
    assert_eq!(events(&[(1, 12), (2, 5), (3, 12), (4, 2)]), bit(Event::WeakCryptoDh));
    assert_eq!(events(&[(1, 12), (2, 5), (4, 14)]), bit(Event::WeakCryptoNoAuth));
    assert_eq!(events(&[(1, 20), (2, 5), (4, 14)]), 0);
    assert_eq!(events(&[(1, 12), (2, 5), (3, 12)]), bit(Event::WeakCryptoNoDh));
    assert_eq!(events(&[(1, 12), (2, 5), (3, 12), (4, 14), (9, 1)]), bit(Event::UnknownProposal));
}

#[test]
fn any_cut_is_stood() {
    for whole in [main_mode(0), init(8, &[(1, 12), (2, 5)])] {
        for cut in 0..whole.len() {
            let (parser, records) = play(&[(Dir::ToServer, whole[..cut].to_vec())]);
            assert_eq!(records.len(), 1);
            assert_eq!(parser.tx(0).unwrap().meta().has_event(0), cut < 28);
            assert_eq!(probe(Dir::ToServer, &whole[..cut]), Probe::No);
        }
        assert_eq!(probe(Dir::ToServer, &whole), Probe::Yes);
    }
}

use super::RDP;
use crate::app::playbook::{same_in_every_chunking, Play};
use crate::app::Probe;
use crate::direction::Dir::{self, ToClient, ToServer};
use serde_json::{json, Value};

fn tpkt(body: &[u8]) -> Vec<u8> {
    let mut out = vec![3, 0];
    out.extend((body.len() as u16 + 4).to_be_bytes());
    out.extend_from_slice(body);
    out
}

fn x224(kind: u8, rest: &[u8]) -> Vec<u8> {
    let mut out = vec![rest.len() as u8 + 6, kind, 0, 0, 0, 0, 0];
    out.extend_from_slice(rest);
    tpkt(&out)
}

fn utf16(text: &str, len: usize) -> Vec<u8> {
    let mut out: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    out.resize(len, 0);
    out
}

fn core(capabilities: u16, orientation: u16) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [4u16, 8, 1152, 864, 0xca01, 0xaa03] {
        out.extend(word.to_le_bytes());
    }
    out.extend(1033u32.to_le_bytes());
    out.extend(2600u32.to_le_bytes());
    out.extend(utf16("PC-7", 32));
    for number in [4u32, 0, 12] {
        out.extend(number.to_le_bytes());
    }
    out.extend(utf16("", 64));
    for word in [0xca01u16, 1, 0, 0, 15, 7, capabilities] {
        out.extend(word.to_le_bytes());
    }
    out.extend(utf16("55274", 64));
    out.extend([6, 0, 0, 0, 0, 0]);
    out.extend(300u32.to_le_bytes());
    out.extend(200u32.to_le_bytes());
    out.extend(orientation.to_le_bytes());
    out.extend(100u32.to_le_bytes());
    out.extend(140u32.to_le_bytes());
    out
}

fn connect_initial(core: &[u8]) -> Vec<u8> {
    let block = |kind: u16, body: &[u8]| {
        [&kind.to_le_bytes()[..], &(body.len() as u16 + 4).to_le_bytes()[..], body].concat()
    };
    let mut network = 2u32.to_le_bytes().to_vec();
    network.extend(b"rdpdr\0\0\0....rdpsnd\0\0....");
    let settings = [block(0xc001, core), block(0xc004, &[0; 8]), block(0xc003, &network)].concat();
    let per = |len: usize| (0x8000 | len as u16).to_be_bytes();
    let gcc = [
        &b"\0\x05\0\x14\x7c\0\x01"[..],
        &per(settings.len() + 14),
        b"\0\x08\0\x10\0\x01\xc0\0Duca",
        &per(settings.len()),
        &settings,
    ]
    .concat();
    let mut body = b"\x04\x01\x01\x04\x01\x01\x01\x01\xff".to_vec();
    for _ in 0..3 {
        body.extend(b"\x30\x03\x02\x01\x22");
    }
    body.extend(b"\x04\x82");
    body.extend((gcc.len() as u16).to_be_bytes());
    body.extend(gcc);
    let mut mcs = b"\x02\xf0\x80\x7f\x65\x82".to_vec();
    mcs.extend((body.len() as u16).to_be_bytes());
    mcs.extend(body);
    tpkt(&mcs)
}

fn records(talk: &[(Dir, Vec<u8>)]) -> Vec<Value> {
    same_in_every_chunking(&RDP, &json!({}), talk).records()
}

#[test]
fn a_connection_without_tls_tells_the_clients_settings() {
    let talk = [
        (ToServer, x224(0xe0, b"Cookie: mstshash=A70067\r\n")),
        (ToClient, x224(0xd0, b"")),
        (ToServer, connect_initial(&core(1, 90))),
        (ToClient, tpkt(b"\x02\xf0\x80\x7f\x66\x00")),
        (ToServer, tpkt(b"\x02\xf0\x80\x04\x01\x00")),
    ];
    let expected = json!([
        {"tx_id": 1, "event_type": "initial_request", "cookie": "A70067"},
        {"tx_id": 2, "event_type": "initial_response"},
        {
            "tx_id": 3,
            "event_type": "connect_request",
            "client": {
                "version": "v5", "desktop_width": 1152, "desktop_height": 864, "color_depth": 15,
                "keyboard_layout": "en-US", "build": "Windows XP", "client_name": "PC-7", "keyboard_type": "enhanced",
                "function_keys": 12, "product_id": 1, "capabilities": ["support_errinfo_pdf"], "id": "55274",
                "connection_hint": "lan", "physical_width": 300, "physical_height": 200, "desktop_orientation": 90,
                "scale_factor": 100, "device_scale_factor": 140,
            },
            "channels": ["rdpdr", "rdpsnd"],
        },
        {"tx_id": 4, "event_type": "connect_response"},
    ]);
    assert_eq!(json!(records(&talk)), expected);
}

#[test]
fn what_follows_an_impossible_field_is_not_read() {
    let client = |core: &[u8]| records(&[(ToServer, connect_initial(core))])[0]["client"].clone();
    let cut = client(&core(1, 45));
    assert_eq!((&cut["physical_height"], &cut["desktop_orientation"]), (&json!(200), &json!(null)));
    let cut = client(&core(0x8000, 0));
    assert_eq!(
        (&cut["product_id"], &cut["capabilities"], &cut["id"]),
        (&json!(1), &json!(null), &json!(null))
    );
    assert_eq!(client(&core(0x10, 0))["capabilities"], json!([]));
    // An old client ends with the input method's file name.
    let old = client(&core(1, 0)[..128]);
    assert_eq!((&old["color_depth"], &old["product_id"]), (&json!(8), &json!(null)));
}

#[test]
fn negotiation_is_told() {
    let request = [b"Cookie: mstshash=bob\r\n".as_slice(), &[1, 9, 8, 0, 3, 0, 0, 0]].concat();
    let talk = [(ToServer, x224(0xe0, &request)), (ToClient, x224(0xd0, &[2, 0x0b, 8, 0, 2, 0, 0, 0]))];
    let told = records(&talk);
    assert_eq!(told[0]["flags"], json!(["restricted_admin_mode_required", "correlation_info_present"]));
    let supports = ["extended_client_data", "dynvc_gfx", "restricted_admin"];
    let expected = json!({"tx_id": 2, "event_type": "initial_response", "server_supports": supports, "protocol": "hybrid"});
    assert_eq!(told[1], expected);
    let refused = records(&[(ToClient, x224(0xd0, &[3, 0, 8, 0, 5, 0, 0, 0]))]);
    assert_eq!(
        (&refused[0]["error_code"], &refused[0]["reason"]),
        (&json!(5), &json!("hybrid required by server"))
    );
}

#[test]
fn tls_inside_tells_the_certificates_serial_numbers() {
    let der = include_bytes!("../tls/testdata/leaf.der");
    let list = [&[0, (der.len() >> 8) as u8, der.len() as u8][..], der].concat();
    let chain = [&[0, (list.len() >> 8) as u8, list.len() as u8][..], &list].concat();
    let hello = [2, 0, 0, 4, 3, 3, 0, 0];
    let certificate = [&[11, 0, (chain.len() >> 8) as u8, chain.len() as u8][..], &chain].concat();
    // Both messages, cut into two records.
    let flight = [&hello[..], &certificate].concat();
    let record = |body: &[u8]| [&[22, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat();
    let talk = [
        (ToServer, x224(0xe0, &[1, 0, 8, 0, 1, 0, 0, 0])),
        (ToClient, x224(0xd0, &[2, 0, 8, 0, 1, 0, 0, 0])),
        (ToServer, record(&[1, 0, 0, 1, 0])),
        (ToClient, [record(&flight[..50]), record(&flight[50..])].concat()),
        (ToClient, vec![0xff; 40]),
    ];
    let play = same_in_every_chunking(&RDP, &json!({}), &talk);
    let last = play.records().pop().unwrap();
    assert_eq!(last["event_type"], "tls_handshake");
    assert_eq!(last["x509_serials"], json!(["008a01"]));
    assert!(play.bypass);
}

#[test]
fn what_is_no_beginning_ends_quietly() {
    for data in [&b"\x04\0\0"[..], &b"\x15\x03\x01\0\x02\x02\x28"[..]] {
        let play = Play::whole(&RDP, json!({}), &[(ToClient, data.to_vec())], 100);
        assert!(play.bypass && play.records().is_empty());
    }
    let probe = super::probe;
    assert_eq!(probe(ToServer, &x224(0xe0, b"")), Probe::Yes);
    assert_eq!(probe(ToClient, &x224(0xd0, b"")), Probe::Yes);
    assert_eq!(probe(ToServer, &x224(0xd0, b"")), Probe::Reversed);
    assert_eq!(probe(ToServer, b"\x03\0\0"), Probe::Unsure);
    assert_eq!(probe(ToServer, b"GET "), Probe::No);
}

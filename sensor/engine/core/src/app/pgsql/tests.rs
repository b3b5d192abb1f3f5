use super::PGSQL;
use crate::app::playbook::{same_in_every_chunking, Play};
use crate::app::Probe;
use crate::direction::Dir::{self, ToClient, ToServer};
use serde_json::json;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend((body.len() as u32 + 4).to_be_bytes());
    out.extend_from_slice(body);
    out
}

fn first(code: u32, body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u32 + 8).to_be_bytes().to_vec();
    out.extend(code.to_be_bytes());
    out.extend_from_slice(body);
    out
}

fn start() -> Vec<u8> {
    first(0x0003_0000, b"user\0alice\0DateStyle\0ISO\0database\0shop\0\0")
}

fn authentication(kind: u32, rest: &[u8]) -> Vec<u8> {
    let mut body = kind.to_be_bytes().to_vec();
    body.extend_from_slice(rest);
    message(b'R', &body)
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

fn login() -> Vec<(Dir, Vec<u8>)> {
    let mut welcome = authentication(0, b"");
    welcome.extend(message(b'S', b"TimeZone\0UTC\0"));
    welcome.extend(message(b'S', b"server_version\x0016.1\0"));
    welcome.extend(message(b'K', &[0, 0, 0, 7, 0, 0, 0, 9]));
    welcome.extend(ready());
    vec![
        (ToServer, first(80_877_103, b"")),
        (ToClient, b"N".to_vec()),
        (ToServer, start()),
        (ToClient, authentication(3, b"")),
        (ToServer, message(b'p', b"secret\0")),
        (ToClient, welcome),
    ]
}

#[test]
fn a_login_is_three_transactions() {
    let play = same_in_every_chunking(&PGSQL, &json!({}), &login());
    let expected = json!([
        {"tx_id": 1, "request": {"message": "SSL Request"}, "response": {"ssl_accepted": false}},
        {
            "tx_id": 2,
            "request": {
                "protocol_version": "3.0",
                "startup_parameters": {"user": "alice", "optional_parameters": [{"datestyle": "ISO"}, {"database": "shop"}]},
            },
            "response": {"message": "authentication_cleartext_password"},
        },
        {
            "tx_id": 3,
            "request": {"password_redacted": true},
            "response": {
                "message": "authentication_ok",
                "parameter_status": [{"time_zone": "UTC"}, {"server_version": "16.1"}],
                "process_id": 7, "secret_key": 9,
            },
        },
    ]);
    assert_eq!(json!(play.records()), expected);
    let play = Play::whole(&PGSQL, json!({"log": {"passwords": "yes"}}), &login(), 100);
    assert_eq!(play.records()[2]["request"], json!({"password": "secret"}));
}

#[test]
fn sasl_is_told_step_by_step() {
    let mut initial = b"SCRAM-SHA-256\0\0\0\0\x03".to_vec();
    initial.extend(b"n,,");
    let mut last = authentication(12, b"v=xyz");
    last.extend(authentication(0, b""));
    last.extend(ready());
    let talk = [
        (ToServer, start()),
        (ToClient, authentication(10, b"SCRAM-SHA-256\0\0")),
        (ToServer, message(b'p', &initial)),
        (ToClient, authentication(11, b"r=1")),
        (ToServer, message(b'p', b"c=biws")),
        (ToClient, last),
    ];
    let records = same_in_every_chunking(&PGSQL, &json!({}), &talk).records();
    assert_eq!(records[0]["response"], json!({"message": "authentication_sasl"}));
    assert_eq!(
        records[1]["request"],
        json!({"sasl_authentication_mechanism": "scram_SHA256", "sasl_param": "n,,"})
    );
    assert_eq!(records[2]["request"], json!({"sasl_response": "c=biws"}));
    let ended = json!({"authentication_sasl_final": "v=xyz", "message": "authentication_ok"});
    assert_eq!(records[2]["response"], ended);
}

#[test]
fn queries_count_their_rows() {
    let mut rows = message(b'T', &[0, 2]);
    rows.extend(message(b'D', b"\0\x02\0\0\0\x01a\0\0\0\x02bc"));
    rows.extend(message(b'D', b"\0\x02\xff\xff\xff\xff\0\0\0\x01b"));
    rows.extend(message(b'C', b"SELECT 2\0"));
    rows.extend(ready());
    let mut failed = message(b'E', b"SERROR\0C22012\0Mdivision by zero\0\0");
    failed.extend(ready());
    // Both queries are sent before the first is answered.
    let talk = [
        (ToServer, [message(b'Q', b"select *;\0"), message(b'Q', b"select 1/0;\0")].concat()),
        (ToClient, rows),
        (ToClient, failed),
        (ToServer, message(b'X', b"")),
    ];
    let play = same_in_every_chunking(&PGSQL, &json!({}), &talk);
    let records = play.records();
    let counted = json!({"field_count": 2, "data_rows": 2, "data_size": 4, "command_completed": "SELECT 2"});
    assert_eq!(records[0]["response"], counted);
    let error = json!({"severity_localizable": "ERROR", "code": "22012", "message": "division by zero"});
    assert_eq!(
        (&records[1]["request"]["simple_query"], &records[1]["response"]),
        (&json!("select 1/0;"), &error)
    );
    assert_eq!(records[2], json!({"tx_id": 3, "request": {"message": "termination_message"}}));
    assert_eq!(play.buffer("pgsql.query", ToServer), ["select *;", "select 1/0;"]);
}

#[test]
fn copies_count_what_they_carry() {
    let talk = [
        (ToServer, message(b'Q', b"copy t from stdin\0")),
        (ToClient, message(b'G', &[0, 0, 2, 0, 0, 0, 0])),
        (ToServer, [message(b'd', b"1\t2\n"), message(b'd', b"3\n"), message(b'c', b"")].concat()),
        (ToClient, [message(b'C', b"COPY 2\0"), ready()].concat()),
        (ToServer, message(b'Q', b"copy t to stdout\0")),
        (ToClient, [message(b'H', &[0, 0, 1, 0, 0]), message(b'd', b"abc\n"), message(b'c', b"")].concat()),
        (ToClient, [message(b'C', b"COPY 1\0"), ready()].concat()),
    ];
    let records = same_in_every_chunking(&PGSQL, &json!({}), &talk).records();
    assert_eq!(records[0]["response"], json!({"copy_in_response": {"copy_column_count": 2}}));
    assert_eq!(records[1]["request"], json!({"copy_data_in": {"msg_count": 2, "data_size": 6}}));
    assert_eq!(records[1]["response"], json!({"command_completed": "COPY 2"}));
    let out = json!({
        "copy_out_response": {"copy_column_count": 1}, "copy_data_out": {"row_count": 1, "data_size": 4},
        "command_completed": "COPY 1",
    });
    assert_eq!(records[2]["response"], out);
}

#[test]
fn an_accepted_ssl_request_hands_over_to_tls() {
    let talk = [(ToServer, first(80_877_103, b"")), (ToClient, b"S".to_vec())];
    let play = same_in_every_chunking(&PGSQL, &json!({}), &talk);
    assert_eq!(play.upgrade, Some("tls"));
    assert_eq!(play.records()[0]["response"], json!({"ssl_accepted": true}));
}

#[test]
fn oddities_are_events() {
    let events = |config, talk: &[(Dir, Vec<u8>)]| Play::whole(&PGSQL, config, talk, 4096).events();
    let said = |data: &[u8]| vec![(ToServer, start()), (ToServer, data.to_vec())];
    assert_eq!(events(json!({}), &said(b"Q\0\0\0\x03")), ["invalid_length"]);
    assert_eq!(events(json!({}), &said(b"?\0\0\0\x04")), ["malformed_request"]);
    assert_eq!(
        events(json!({}), &[(ToServer, start()), (ToClient, b"?\0\0\0\x04".to_vec())]),
        ["malformed_response"]
    );
    let many = said(&message(b'Q', b"x\0").repeat(5));
    assert_eq!(events(json!({"max-tx": 3}), &many), ["too_many_transactions"]);
}

#[test]
fn long_messages_are_cut_and_gaps_passed_over() {
    let mut long = b"select '".to_vec();
    long.resize(200_000, b'x');
    let mut play = Play::new(&PGSQL, json!({}));
    play.data(ToServer, &message(b'Q', &long)[..100_000]);
    play.parser.gap(ToServer, 50_000, &mut Default::default());
    play.data(ToServer, &message(b'Q', &long)[150_000..]);
    play.data(ToServer, &message(b'Q', b"next\0"));
    let queries = play.buffer("pgsql.query", ToServer);
    assert_eq!((queries[0].len(), queries[1].as_str()), (64 * 1024, "next"));
    play.parser.gap(ToServer, 5, &mut Default::default());
    play.data(ToServer, b"in the middle");
    play.data(ToServer, &message(b'Q', b"again\0"));
    assert_eq!(play.buffer("pgsql.query", ToServer).last().unwrap(), "again");
}

#[test]
fn first_messages_are_recognised() {
    let probe = super::probe;
    assert_eq!(probe(ToServer, &start()), Probe::Yes);
    assert_eq!(probe(ToServer, &first(80_877_103, b"")), Probe::Yes);
    assert_eq!(probe(ToServer, &start()[..6]), Probe::Unsure);
    assert_eq!(probe(ToServer, b"GET / HTTP/1.1\r\n"), Probe::No);
    assert_eq!(probe(ToClient, b":"), Probe::No);
    assert_eq!(probe(ToClient, b"N"), Probe::Yes);
    assert_eq!(probe(ToClient, &authentication(0, b"")), Probe::Yes);
}

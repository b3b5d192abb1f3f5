//! What a whole rule becomes: protocols, directions, where contents are tried, which literal the prefilter gets.

use crate::app::ProtocolId;
use crate::detect::builder::Severity;
use crate::detect::rule::{Absent, Rule, Target};
use crate::detect::test_rules::{rule, rule_and_origins};
use crate::direction::Dir;

fn ok(line: &str) -> Rule {
    rule(line).unwrap_or_else(|found| panic!("{line}: {found:?}"))
}

fn reason(line: &str) -> String {
    rule(line).err().unwrap_or_else(|| panic!("accepted: {line}")).remove(0).reason
}

#[test]
fn buffers_imply_protocol_and_direction() {
    let r = ok("alert tcp any any -> any any (http.uri; content:\"abc\"; sid:1;)");
    let http = ["http", "http2", "doh2"].map(|name| ProtocolId::find(name).unwrap());
    assert_eq!(r.protocols, http);
    assert_eq!(r.flow.dir, Some(Dir::ToServer));
    assert!(matches!(r.buffers[0].target, Target::App(_)));
    assert!(reason("alert tcp any any -> any any (flow:to_client; http.uri; content:\"a\"; sid:1;)")
        .contains("other way"));
    assert!(reason("alert tcp any any -> any any (http.uri; content:\"a\"; tls.sni; content:\"b\"; sid:1;)")
        .contains("different protocols"));
    assert!(reason("alert dns any any -> any any (dsize:5; dns.query; content:\"a\"; sid:1;)")
        .contains("single packets"));
}

#[test]
fn payload_goes_where_the_manual_says() {
    let at = |line: &str| {
        let r = ok(line);
        (r.payload_on_packet, r.payload_on_stream)
    };
    assert_eq!(at("alert tcp any any -> any any (content:\"abc\"; sid:1;)"), (false, true));
    assert_eq!(at("alert tcp any any -> any any (content:\"abc\"; depth:5; sid:1;)"), (true, true));
    assert_eq!(at("alert tcp any any -> any any (content:\"abc\"; startswith; sid:1;)"), (true, true));
    assert_eq!(at("alert tcp any any -> any any (content:\"abc\"; dsize:5; sid:1;)"), (true, false));
    assert_eq!(at("alert tcp any any -> any any (content:\"abc\"; flags:A; sid:1;)"), (true, false));
    assert_eq!(at("alert tcp-pkt any any -> any any (content:\"abc\"; sid:1;)"), (true, false));
    assert_eq!(at("alert tcp any any -> any any (content:\"abc\"; flow:no_stream; sid:1;)"), (true, false));
    assert_eq!(at("alert tcp-stream any any -> any any (content:\"abc\"; depth:5; sid:1;)"), (false, true));
    assert_eq!(at("alert udp any any -> any any (content:\"abc\"; sid:1;)"), (true, false));
    assert_eq!(at("alert dns any any -> any any (content:\"abc\"; sid:1;)"), (false, true));
}

#[test]
fn the_prefilter_gets_the_best_literal() {
    let r = ok("alert http any any -> any any (http.method; content:\"POSTPOST\"; http.uri; content:\"/ab\"; content:\"payload\"; distance:1; sid:1;)");
    let fast = r.fast_pattern.unwrap();
    assert_eq!((fast.buffer, fast.bytes.as_slice()), (Some(1), &b"payload"[..]));
    let r = ok("alert tcp any any -> any any (content:\"abc\"; offset:4; depth:8; content:!\"longer than it\"; sid:1;)");
    let fast = r.fast_pattern.unwrap();
    assert_eq!(fast.bounds.end, 12);
    assert!(ok("alert tcp any any -> any any (content:!\"abc\"; sid:1;)").fast_pattern.is_none());
}

#[test]
fn a_relative_content_is_placed_by_what_stands_before() {
    let bounds = |contents: &str| {
        let r = ok(&format!("alert tcp any any -> any any ({contents} sid:1;)"));
        let fast = r.fast_pattern.unwrap();
        (fast.bounds.start, fast.bounds.end)
    };
    let header = "content:\"|01|\"; depth:1; ";
    assert_eq!(bounds(&format!("{header}content:\"longest\"; distance:1; within:7;")), (2, 9), "one place");
    assert_eq!(bounds(&format!("{header}content:\"longest\"; within:20;")), (1, 21));
    assert_eq!(bounds(&format!("{header}content:\"longest\"; distance:4;")), (5, u32::MAX));
    assert_eq!(bounds(&format!("{header}content:!\"no\"; content:\"longest\"; within:9;")), (1, 10));
    assert_eq!(bounds("content:\"|01|\"; content:\"longest\"; within:9;"), (1, u32::MAX), "anywhere before");
    let chain = "content:\"ab\"; offset:4; depth:6; content:\"cd\"; distance:-1; within:5; ";
    assert_eq!(bounds(&format!("{chain}content:\"longest\"; distance:2; within:8;")), (9, 24));
    let unknown = (0, u32::MAX);
    assert_eq!(bounds(&format!("{header}byte_jump:1,0; content:\"longest\"; within:9;")), unknown);
    assert_eq!(bounds(&format!("{header}pcre:\"/x/\"; content:\"longest\"; within:9;")), unknown);
    assert_eq!(
        bounds("content:\"longest\"; within:9;"),
        unknown,
        "a window's start need not be the buffer's"
    );
}

#[test]
fn rules_about_packets_are_led_by_what_is_placed() {
    let lead = |options: &str| {
        let r = ok(&format!("alert tcp-pkt any any -> any any ({options} sid:1;)"));
        r.packet_lead().unwrap().bytes.clone()
    };
    let far = "content:\"far away\"; fast_pattern;";
    assert_eq!(lead(&format!("content:\"|24 04 ff 00|\"; startswith; {far}")), b"\x24\x04\xff\x00");
    assert_eq!(lead(&format!("content:\"|00 00 00|\"; startswith; {far}")), b"far away", "in many packets");
    assert_eq!(lead(&format!("content:\"|24 04 ff 00|\"; startswith; dsize:<100; {far}")), b"far away");
}

#[test]
fn buffers_are_shared_and_split_as_selected() {
    let r = ok("alert http any any -> any any (http.uri; content:\"a\"; http.method; content:\"G\"; http.uri; content:\"b\"; distance:0; sid:1;)");
    assert_eq!(r.buffers.len(), 2);
    assert_eq!(r.buffers[0].program.ops().len(), 2);
    let r =
        ok("alert http any any -> any any (http.uri; content:\"a\"; to_lowercase; content:\"b\"; sid:1;)");
    assert_eq!((r.buffers.len(), r.buffers[1].transforms.len()), (2, 1));
    let r = ok("alert http any any -> any any (content:\"a\"; http_uri; content:\"b\"; distance:0; http_uri; content:\"c\"; sid:1;)");
    assert_eq!((r.buffers.len(), r.buffers[0].program.ops().len()), (1, 2));
    assert_eq!(r.payload.unwrap().ops().len(), 1);
    let r = ok("alert http any any -> any any (http.referer; absent:or_else; content:!\"a\"; sid:1;)");
    assert_eq!(r.buffers[0].absent, Absent::OrElse);
}

#[test]
fn every_wrong_part_is_reported_where_it_stands() {
    let later = *crate::detect::keywords::LATER.last().unwrap();
    let text = format!("alert tcp any any -> any any (content:\"|0|\"; nocase; ttl:999; {later}; sid:7;)");
    let found = rule(&text).err().unwrap();
    let seen: Vec<_> = found.iter().map(|d| (d.keyword.as_str(), d.severity)).collect();
    assert_eq!(seen[0], ("content", Severity::Error));
    assert!(seen.contains(&("ttl", Severity::Error)) && seen.contains(&(later, Severity::Skip)));
    assert!(found.iter().all(|d| d.sid == 7 && d.column > 1));
    assert!(reason("alert tcp any any -> any any (content:\"a\";)").contains("sid"));
    assert!(reason("alert tcp any any <- any any (content:\"a\"; sid:1;)").contains("direction"));
    assert!(reason("alert nope any any -> any any (content:\"a\"; sid:1;)").contains("protocol"));
    assert!(
        reason("alert http any any -> any any (http.host; content:\"ABC\"; sid:1;)").contains("lower case")
    );
    assert!(reason("alert http any any -> any any (http.uri; bsize:2; content:\"abc\"; sid:1;)")
        .contains("never match"));
}

#[test]
fn relative_tests_follow_a_content_into_its_buffer() {
    let r = ok("alert http any any -> any any (content:\"arg\"; http_uri; base64_decode:bytes 17,offset 1,relative; base64_data; content:\"abc\"; sid:1;)");
    assert!(r.payload.is_none());
    assert_eq!((r.buffers.len(), r.buffers[0].program.ops().len()), (1, 2));
    let r = ok(
        "alert http any any => any any (http.uri; content:\"a\"; file.data:to_client; content:\"b\"; sid:1;)",
    );
    assert_eq!(r.buffers[1].dir, Some(Dir::ToClient));
}

#[test]
fn what_follows_an_unsupported_buffer_is_not_called_wrong() {
    let Some(later) = crate::detect::keywords::LATER.last() else { return };
    let text = format!("alert tcp any any -> any any ({later}; to_md5; content:\"a\"; bsize:5; sid:7;)");
    let found = rule(&text).err().unwrap();
    assert!(found.iter().all(|d| d.severity == Severity::Skip), "{found:?}");
}

#[test]
fn what_options_became_is_known() {
    let (rule, origins) = rule_and_origins(
        "alert tcp any any -> any any (msg:\"m\"; content:\"abc\"; nocase; http_uri; content:\"d\"; depth:4; \
         content:\"only\"; fast_pattern:only; sid:1;)",
    );
    assert_eq!((rule.buffers.len(), rule.packet_tests.len()), (1, 0));
    assert_eq!(origins.buffers[0].1.tests, [[1, 2, 3]]);
    assert_eq!(origins.payload.tests, [vec![6, 7], vec![4, 5]], "in the order of evaluation");
    let (rule, origins) = rule_and_origins(
        "alert http any any -> any any (filename:\"a\"; fileext:\"b\"; http.uri; base64_decode; base64_data; content:\"x\"; \
         content:\"y\"; distance:0; urilen:>3; sid:1;)",
    );
    assert_eq!(rule.tx_tests.len(), 1);
    assert_eq!(origins.tx_tests, [[0, 1]]);
    assert_eq!(origins.buffers[0].1.tests, [[3], [8]]);
    assert_eq!(origins.buffers[0].1.decoded, [vec![5], vec![6, 7]]);
    let (_, origins) = rule_and_origins("alert tcp any any -> any any (flags:S; ttl:>3; sid:1;)");
    assert_eq!(origins.packet_tests, [[0], [1]]);
}

//! The limits of a script and what a worker keeps of it.

use super::*;
use crate::decode::Packet;
use crate::detect::cx::VARIABLES_MAX;
use crate::direction::Dir;
use crate::time::Timestamp;

fn script(text: &str, settings: Settings, entry: Entry) -> Result<Arc<Script>, String> {
    let source = text.as_bytes().to_vec();
    Script::load(0, "t.lua", source, &Arc::new(settings), &[], entry).map(Arc::new)
}

fn test(text: &str) -> ScriptTest {
    let text = format!("function init() return {{}} end {text}");
    let script = script(&text, Settings::default(), Entry::Match).unwrap();
    ScriptTest { script, negated: false, key: None }
}

fn holds(scripts: &Scripts, test: &ScriptTest) -> bool {
    let packet = Packet::new(&[], Timestamp::default(), 1, 0, 1);
    let cx = EvalCx {
        packet: &packet,
        flow: None,
        dir: Dir::ToServer,
        tx: None,
        variables: [0; VARIABLES_MAX],
        budget: 0,
        base64: Vec::new(),
        captures: Vec::new(),
        rule: None,
        scripts,
    };
    scripts.holds(test, &cx, None)
}

#[test]
fn a_worker_keeps_a_state_and_another_has_its_own() {
    let counter = test("local n = 0 function match() n = n + 1 return n == 3 and 1 or 0 end");
    let (one, other) = (Scripts::default(), Scripts::default());
    assert_eq!([(); 4].map(|()| holds(&one, &counter)), [false, false, true, false]);
    assert!(!holds(&other, &counter));
}

#[test]
fn a_failure_costs_one_call_and_is_counted() {
    let scripts = Scripts::default();
    let greedy =
        test("n = 0 function match() n = n + 1 if n == 1 then return ('x'):rep(1 << 24) end return 1 end");
    assert_eq!([(); 2].map(|()| holds(&scripts, &greedy)), [false, true]);
    let counters = scripts.counters();
    assert_eq!((counters.errors, counters.memory_limit_errors, counters.instruction_limit_errors), (1, 1, 0));
}

#[test]
fn garbage_of_earlier_calls_does_not_use_up_the_memory() {
    let scripts = Scripts::default();
    let busy = test("function match() local s = ('x'):rep(200000) return #s == 200000 and 1 or 0 end");
    assert!((0..50).all(|_| holds(&scripts, &busy)));
}

#[test]
fn a_script_that_cannot_begin_is_told_once_and_never_matches() {
    let scripts = Scripts::default();
    let broken = test("function thread_init() error('no') end function match() return 1 end");
    assert_eq!([(); 3].map(|()| holds(&scripts, &broken)), [false; 3]);
    assert_eq!(scripts.counters().errors, 1);
}

#[test]
fn outside_of_a_call_there_is_no_packet() {
    let text =
        "local p = require('suricata.packet').get() function init() return {} end function match() end";
    let reason = script(text, Settings::default(), Entry::Match).unwrap_err();
    assert!(reason.contains("there is no packet at this point"), "{reason}");
}

#[test]
fn scripts_cannot_reach_what_the_libraries_stand_on() {
    let text = "function match()
        for name, value in next, _G do assert(type(name) == 'string', name) end
        assert(rust == nil and slot == nil and debug == nil and os == nil and coroutine == nil and package == nil)
        string.sub, table.concat, tostring = nil, nil, nil
        local h = require('suricata.hashlib').md5() h:update('a') return #h:finalize() == 16 and 1 or 0
    end";
    assert!(holds(&Scripts::default(), &test(text)));
}

#[test]
fn transforms_take_the_length_that_is_returned() {
    let scripts = Scripts::default();
    let made = |text: &str| {
        let script = script(text, Settings::default(), Entry::Transform).unwrap();
        Scripts::default().transform(&script, &["a".to_owned()], b"abcdef")
    };
    assert_eq!(made("function transform(i, a) return i .. a[1], 3 end"), Some(b"abc".to_vec()));
    assert_eq!(made("function transform(i) return i:upper(), 100 end"), Some(b"ABCDEF".to_vec()));
    assert_eq!(made("function transform(i) return i end"), None);
    assert_eq!(made("function transform(i) return i, -1 end"), None);
    assert_eq!(scripts.counters().errors, 0);
}

#[test]
fn a_script_sets_the_value_that_it_sees() {
    let mut vars = vec![(1, b"old".to_vec()), (2, b"other".to_vec()), (1, b"new".to_vec())];
    set_var(&mut vars, 1, b"set".to_vec());
    set_var(&mut vars, 3, b"more".to_vec());
    let values: Vec<&[u8]> = vars.iter().map(|(_, value)| value.as_slice()).collect();
    assert_eq!(values, [b"old".as_slice(), b"other", b"set", b"more"]);
}

//! Keywords of DNP3 that are no plain numbers: dnp3_ind and dnp3_obj (Suricata manual, "DNP3 Keywords").

use super::{number, tx_number, Keyword, Kind};
use crate::app::dnp3::log::INDICATIONS as NAMES;
use crate::detect::builder::some_value;
use crate::detect::diagnostic::Refusal;

pub static INDICATIONS: Keyword = Keyword {
    name: "dnp3_ind",
    aliases: &["dnp3.ind"],
    kind: Kind::App,
    doc: "One of these internal indications is set in a DNP3 response: names with commas between them.",
    example: "dnp3_ind:device_restart,need_time;",
    accepts: &["dnp3_ind:all_stations;", "dnp3_ind:class_1_events, class_2_events;", "dnp3_ind:0x8000;"],
    refuses: &["dnp3_ind;", "dnp3_ind:nonsense;"],
    parse: |rule, value| {
        let value = some_value("dnp3_ind", value, "device_restart")?;
        let mut wanted = 0u64;
        for name in value.split(',').map(str::trim) {
            let bit = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            let bit = bit.map(|(_, bit)| u64::from(*bit)).or_else(|| number::unsigned(name));
            wanted |= bit.filter(|n| *n <= 0xffff).ok_or_else(|| {
                let known: Vec<&str> = NAMES.iter().map(|(known, _)| *known).collect();
                Refusal::error(
                    format!("`{name}` is no internal indication"),
                    format!("use one of {}", known.join(", ")),
                )
            })?;
        }
        tx_number::add(rule, "dnp3_ind", "dnp3_ind", "dnp3", None, move |n, _| n & wanted != 0)
    },
};

pub static OBJECT: Keyword = Keyword {
    name: "dnp3_obj",
    aliases: &["dnp3.obj"],
    kind: Kind::App,
    doc: "A DNP3 message has an object of this group and variation.",
    example: "dnp3_obj:99,99;",
    accepts: &["dnp3_obj:22,01;", "dnp3_obj: 60 , 2;"],
    refuses: &["dnp3_obj;", "dnp3_obj:22;", "dnp3_obj:256,1;", "dnp3_obj:a,b;"],
    parse: |rule, value| {
        let value = some_value("dnp3_obj", value, "22,1")?;
        let part = |text: &str| number::unsigned(text).filter(|n| *n <= 255);
        let found =
            value.split_once(',').and_then(|(group, variation)| Some((part(group)?, part(variation)?)));
        let (group, variation) = found.ok_or_else(|| {
            Refusal::error(
                format!("`{value}` is no group and variation"),
                "write dnp3_obj:GROUP,VARIATION; each up to 255",
            )
        })?;
        let wanted = group << 8 | variation;
        tx_number::add(rule, "dnp3_obj", "dnp3_obj", "dnp3", None, move |n, _| n == wanted)
    },
};

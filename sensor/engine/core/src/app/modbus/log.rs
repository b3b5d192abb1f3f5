//! The `modbus` object of EVE (Suricata manual, EVE JSON format, event type Modbus).

use super::message::{access, access_of, category, category_of, error, plain, Data, Message, Read, Write};
use crate::json::JsonWriter;

/// Names of function codes.
pub fn function_name(function: u8) -> &'static str {
    const NAMES: [&str; 25] = [
        "Unknown",
        "RdCoils",
        "RdDiscreteInputs",
        "RdHoldRegs",
        "RdInputRegs",
        "WrSingleCoil",
        "WrSingleReg",
        "RdExcStatus",
        "Diagnostic",
        "Program484",
        "Poll484",
        "GetCommEventCtr",
        "GetCommEventLog",
        "ProgramController",
        "PollController",
        "WrMultCoils",
        "WrMultRegs",
        "ReportServerID",
        "Program884",
        "ResetCommLink",
        "RdFileRec",
        "WrFileRec",
        "MaskWrReg",
        "RdWrMultRegs",
        "RdFIFOQueue",
    ];
    match function {
        43 => "MEI",
        _ => NAMES.get(usize::from(function)).copied().unwrap_or("Unknown"),
    }
}

fn diagnostic_name(function: u16) -> &'static str {
    match function {
        0 => "RetQueryData",
        1 => "RestartCommOpt",
        2 => "RetDiagReg",
        3 => "ChangeInputDelimiter",
        4 => "ForceListenOnlyMode",
        10 => "ClearCtrDiagReg",
        11 => "RetBusMsgCount",
        12 => "RetBusCommErrCount",
        13 => "RetBusExcErrCount",
        14 => "RetServerMsgCount",
        15 => "RetServerNoRespCount",
        16 => "RetServerNAKCount",
        17 => "RetServerBusyCount",
        18 => "RetBusCharOverrunCount",
        19 => "RetOverrunErrCount",
        20 => "ClearOverrunCounterFlag",
        21 => "GetClearPlusStats",
        _ => "Reserved",
    }
}

fn exception_name(code: u8) -> &'static str {
    match code {
        1 => "IllegalFunction",
        2 => "IllegalDataAddr",
        3 => "IllegalDataValue",
        4 => "ServerDeviceFail",
        5 => "Ack",
        6 => "ServerDeviceBusy",
        7 => "NegAck",
        8 => "MemParityErr",
        10 => "GatewayPathUnavailable",
        11 => "GatewayTargetFailToResp",
        _ => "Unknown",
    }
}

/// Writes the members of a message's object.
pub fn log(message: &Message, out: &mut JsonWriter) {
    let function = message.function;
    out.uint("transaction_id", u64::from(message.transaction));
    out.uint("protocol_id", u64::from(message.protocol));
    out.uint("unit_id", u64::from(message.unit));
    out.uint("function_raw", u64::from(function));
    out.str("function_code", function_name(plain(function)));
    let accesses = access_of(function);
    let write_single = accesses & (access::WRITE | access::SINGLE) == access::WRITE | access::SINGLE;
    let write_many = accesses & (access::WRITE | access::MULTIPLE) == access::WRITE | access::MULTIPLE;
    names(
        "access_type",
        &[
            ("READ", accesses & access::READ != 0),
            ("WRITE", accesses & access::WRITE != 0),
            ("DISCRETES", accesses & access::DISCRETES != 0),
            ("COILS", accesses & access::COILS != 0),
            ("INPUT", accesses & access::INPUT != 0),
            ("HOLDING", accesses & access::HOLDING != 0),
            ("SINGLE", accesses & access::SINGLE != 0),
            ("MULTIPLE", accesses & access::MULTIPLE != 0),
            ("WRITE_SINGLE", write_single),
            ("WRITE_MULTIPLE", write_many),
        ],
        out,
    );
    let kind = category_of(function);
    names(
        "category",
        &[
            ("PUBLIC_UNASSIGNED", kind == category::UNASSIGNED),
            ("PUBLIC_ASSIGNED", kind == category::ASSIGNED),
            ("USER_DEFINED", kind == category::USER),
            ("RESERVED", kind == category::RESERVED),
        ],
        out,
    );
    let errors = message.errors;
    names(
        "error_flags",
        &[
            ("DATA_VALUE", errors & error::DATA_VALUE != 0),
            ("DATA_LENGTH", errors & error::DATA_LENGTH != 0),
            ("EXC_CODE", errors & error::EXCEPTION_CODE != 0),
            ("FUNC_CODE", errors & error::FUNCTION_CODE != 0),
            ("PROTO_ID", errors & error::PROTOCOL_ID != 0),
        ],
        out,
    );
    match &message.data {
        Data::Empty => out.str("data", ""),
        Data::Bytes(bytes) => out.bytes("data", bytes),
        Data::Exception(code) => {
            out.open_object("exception");
            out.uint("raw", u64::from(*code));
            out.str("code", exception_name(*code));
            out.close();
        }
        Data::Diagnostic { function, data } => {
            out.open_object("diagnostic");
            out.uint("raw", u64::from(*function));
            out.str("code", diagnostic_name(*function));
            out.bytes("data", data);
            out.close();
        }
        Data::Mei { kind, data } => {
            out.open_object("mei");
            out.uint("raw", u64::from(*kind));
            let name = match kind {
                13 => "CANOpenGenRefReqResp",
                14 => "RdDevId",
                _ => "Unknown",
            };
            out.str("code", name);
            out.bytes("data", data);
            out.close();
        }
        Data::Read(found) => read(found, out),
        Data::Write(found) => write(found, out),
        Data::ReadWrite(first, second) => {
            read(first, out);
            write(second, out);
        }
    }
}

fn read(found: &Read, out: &mut JsonWriter) {
    out.open_object("read");
    match found {
        Read::Request { address, quantity } => {
            out.uint("address", u64::from(*address));
            out.uint("quantity", u64::from(*quantity));
        }
        Read::Response(data) => out.bytes("data", data),
    }
    out.close();
}

fn write(found: &Write, out: &mut JsonWriter) {
    out.open_object("write");
    match found {
        Write::Many { address, quantity, data } => {
            out.uint("address", u64::from(*address));
            out.uint("quantity", u64::from(*quantity));
            out.bytes("data", data);
        }
        Write::Mask { address, and, or } => {
            out.uint("address", u64::from(*address));
            out.uint("and_mask", u64::from(*and));
            out.uint("or_mask", u64::from(*or));
        }
        Write::One { address, data } => {
            out.uint("address", u64::from(*address));
            out.uint("data", u64::from(*data));
        }
    }
    out.close();
}

/// The names that hold, as `A | B`, or `NONE`.
fn names(key: &str, names: &[(&str, bool)], out: &mut JsonWriter) {
    let held: Vec<&str> = names.iter().filter(|(_, holds)| *holds).map(|(name, _)| *name).collect();
    match held.as_slice() {
        [] => out.str(key, "NONE"),
        some => out.str(key, &some.join(" | ")),
    }
}

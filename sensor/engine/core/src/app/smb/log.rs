//! The `smb` object of EVE.

use super::tx::*;
use super::{names, status};
use crate::app::dcerpc::pdu;
use crate::json::JsonWriter;

/// Writes the members of the object.
pub fn log(tx: &SmbTx, out: &mut JsonWriter) {
    out.uint("id", tx.meta.id.saturating_add(1));
    match &tx.dialect {
        super::session::Dialect::Unknown => out.str("dialect", "unknown"),
        super::session::Dialect::Text(text) => out.bytes("dialect", text),
        super::session::Dialect::Number(number) => out.str("dialect", names::dialect(*number)),
    }
    match tx.command {
        Command::Smb1(command) => match names::smb1_command(command) {
            Some(name) => out.str("command", name),
            None => out.fmt("command", format_args!("{command}")),
        },
        Command::Smb2(command) => match names::smb2_command(command) {
            Some(name) => out.str("command", name),
            None => out.fmt("command", format_args!("{command}")),
        },
    }
    match tx.status {
        Some(Status::Nt(code)) => {
            match status::name(code) {
                Some(name) => out.str("status", name),
                None => out.fmt("status", format_args!("{code}")),
            }
            out.fmt("status_code", format_args!("0x{code:x}"));
        }
        Some(Status::Dos(class, code)) => {
            match (class, names::server_error(code)) {
                (2, Some(name)) => out.str("status", name),
                (1 | 2, _) => out.fmt("status", format_args!("{code}")),
                _ => out.fmt("status", format_args!("UNKNOWN_{class:02x}_{code:04x}")),
            }
            out.fmt("status_code", format_args!("0x{code:04x}"));
        }
        None => {}
    }
    out.uint("session_id", tx.session);
    out.uint("tree_id", u64::from(tx.tree));
    kind(tx, out);
}

fn kind(tx: &SmbTx, out: &mut JsonWriter) {
    match &tx.kind {
        Kind::Generic => {}
        Kind::Negotiate(negotiate) => log_negotiate(negotiate, out),
        Kind::Setup(setup) => log_setup(setup, out),
        Kind::Tree(tree) => log_tree(tree, tx.command.version(), out),
        Kind::Create(create) => log_create(create, out),
        Kind::File(transfer) => {
            out.bytes("filename", &transfer.chunks.file.name);
            out.bytes("share", &transfer.share);
            out.fmt("fuid", format_args!("{}", transfer.fid));
        }
        Kind::Rename { from, to, fid } => {
            if tx.command.version() == 2 {
                out.open_object("set_info");
                out.str("class", "FILE_INFO");
                out.str("info_level", "SMB2_FILE_RENAME_INFO");
                out.close();
            }
            out.open_object("rename");
            out.bytes("from", from);
            out.bytes("to", to);
            out.close();
            out.fmt("fuid", format_args!("{fid}"));
        }
        Kind::Disposition { name, delete, subcommand, level, fid } => {
            log_name("filename", name, out);
            out.str("access", if *delete { "delete on close" } else { "normal" });
            match subcommand {
                8 => out.str("subcmd", "SET_FILE_INFO"),
                6 => out.str("subcmd", "SET_PATH_INFO"),
                _ => {}
            }
            if *level == 1013 {
                out.str("level_of_interest", "Set Disposition Information");
            }
            out.fmt("fuid", format_args!("{fid}"));
        }
        Kind::Ioctl(function) => match names::control(*function) {
            Some(name) => out.str("function", name),
            None => out.fmt("function", format_args!("{function}")),
        },
        Kind::Call(call) => {
            out.open_object("dcerpc");
            call.log_request(out);
            call.log_response(out);
            match call.sides.to_server.kind {
                Some(pdu::REQUEST) => {
                    out.uint("opnum", u64::from(call.opnum.unwrap_or(0)));
                    call.log_req(out, false);
                    call.log_interfaces(out, false, false);
                }
                Some(pdu::BIND) => call.log_interfaces(out, true, true),
                _ => {}
            }
            call.log_res(out);
            out.uint("call_id", u64::from(call.id));
            out.close();
        }
    }
}

/// A name, or that of the root of the share.
fn log_name(key: &str, name: &[u8], out: &mut JsonWriter) {
    if name.is_empty() {
        out.str("filename", "<share_root>");
    } else {
        out.bytes(key, name);
    }
}

fn log_negotiate(negotiate: &Negotiate, out: &mut JsonWriter) {
    out.open_array("client_dialects");
    for dialect in &negotiate.dialects {
        out.item_bytes(dialect);
    }
    out.close_array();
    if let Some(guid) = negotiate.client_guid {
        out.fmt("client_guid", format_args!("{}", Guid(guid)));
    }
    match negotiate.server_guid {
        Some(guid) => out.fmt("server_guid", format_args!("{}", Guid(guid))),
        None => out.str("server_guid", ""),
    }
    let (read, write) = negotiate.max_sizes;
    if read > 0 {
        out.uint("max_read_size", u64::from(read));
    }
    if write > 0 {
        out.uint("max_write_size", u64::from(write));
    }
}

fn log_setup(setup: &Setup, out: &mut JsonWriter) {
    if let Some(ticket) = &setup.logon.ticket {
        out.open_object("kerberos");
        out.bytes("realm", &ticket.realm);
        out.open_array("snames");
        for name in &ticket.names {
            out.item_bytes(name);
        }
        out.close_array();
        out.close();
    }
    if let Some(ntlmssp) = &setup.logon.ntlmssp {
        out.open_object("ntlmssp");
        out.bytes("domain", &ntlmssp.domain);
        out.bytes("user", &ntlmssp.user);
        out.bytes("host", &ntlmssp.host);
        if let Some((major, minor, build, revision)) = ntlmssp.version {
            out.fmt("version", format_args!("{major}.{minor} build {build} rev {revision}"));
        }
        out.close();
    }
    for (key, host) in [("request", &setup.request), ("response", &setup.response)] {
        if let Some(host) = host {
            out.open_object(key);
            out.bytes("native_os", &host.os);
            out.bytes("native_lm", &host.lm);
            out.close();
        }
    }
}

fn log_tree(tree: &TreeConnect, version: u8, out: &mut JsonWriter) {
    out.bytes(if tree.is_pipe() { "named_pipe" } else { "share" }, &tree.name);
    if version == 1 {
        out.open_object("service");
        if let Some(service) = &tree.services.0 {
            out.bytes("request", service);
        }
        if let Some(service) = &tree.services.1 {
            out.bytes("response", service);
        }
        out.close();
    } else {
        let kind = match tree.share_type {
            Some(1) => "FILE",
            Some(2) => "PIPE",
            Some(3) => "PRINT",
            _ => "UNKNOWN",
        };
        out.str("share_type", kind);
    }
}

fn log_create(create: &Create, out: &mut JsonWriter) {
    log_name(if create.directory { "directory" } else { "filename" }, &create.name, out);
    let disposition = match create.disposition {
        0 => "FILE_SUPERSEDE",
        1 => "FILE_OPEN",
        2 => "FILE_CREATE",
        3 => "FILE_OPEN_IF",
        4 => "FILE_OVERWRITE",
        5 => "FILE_OVERWRITE_IF",
        _ => "UNKNOWN",
    };
    out.str("disposition", disposition);
    out.str("access", if create.delete_on_close { "delete on close" } else { "normal" });
    let [created, accessed, written, changed] = create.times;
    out.uint("created", created);
    out.uint("accessed", accessed);
    out.uint("modified", written);
    out.uint("changed", changed);
    out.uint("size", create.size);
    out.fmt("fuid", format_args!("{}", create.fid));
}

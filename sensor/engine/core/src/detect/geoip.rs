//! Countries of addresses, from the MaxMind DB file that `geoip-database` names (GeoLite2-Country, GeoIP2-City or any other
//! whose records have `country.iso_code`). Read once, when rules are compiled; afterwards nothing changes.

use crate::decode::Addr;
use maxminddb::{path, Reader};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// The file as the configuration names it; opened when the first rule asks for it.
#[derive(Default)]
pub struct GeoIp {
    path: Option<PathBuf>,
    opened: OnceLock<Result<Arc<Countries>, String>>,
}

impl GeoIp {
    pub fn new(document: &Value) -> GeoIp {
        GeoIp { path: document["geoip-database"].as_str().map(PathBuf::from), ..GeoIp::default() }
    }

    /// None: the configuration names no file. The error tells what is wrong with it.
    pub fn countries(&self) -> Option<Result<Arc<Countries>, String>> {
        let path = self.path.as_ref()?;
        let open = || match Reader::open_readfile(path) {
            Ok(reader) => Ok(Arc::new(Countries(reader))),
            Err(reason) => Err(format!("{}: {reason}", path.display())),
        };
        Some(self.opened.get_or_init(open).clone())
    }
}

/// The countries of networks.
pub struct Countries(Reader<Vec<u8>>);

impl Countries {
    /// ISO 3166-1 code of the country; None when the file has none for this address. `version` is the packet's IP version.
    pub fn of(&self, addr: Addr, version: u8) -> Option<&str> {
        let addr = match version {
            4 => IpAddr::V4(Ipv4Addr::from(addr.0 as u32)),
            _ => IpAddr::V6(Ipv6Addr::from(addr.0)),
        };
        self.0.lookup(addr).ok()?.decode_path(&path!["country", "iso_code"]).ok()?
    }
}

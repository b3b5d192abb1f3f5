//! The client's core data ([MS-RDPBCGR] section 2.2.1.3.2). Its later half is optional: what follows a field that is missing
//! or impossible is not read.

use super::keyboard;
use crate::app::cursor::Cursor;
use crate::json::JsonWriter;

const CAPABILITIES: &[(u16, &str)] = &[
    (0x0001, "support_errinfo_pdf"),
    (0x0002, "want_32bpp_session"),
    (0x0004, "support_statusinfo_pdu"),
    (0x0008, "strong_asymmetric_keys"),
    (0x0020, "valid_connection_type"),
    (0x0040, "support_monitor_layout_pdu"),
    (0x0080, "support_netchar_autodetect"),
    (0x0100, "support_dynvc_gfx_protocol"),
    (0x0200, "support_dynamic_time_zone"),
    (0x0400, "support_heartbeat_pdu"),
];
/// Flags that have a meaning or had one.
const CAPABILITIES_KNOWN: u16 = 0x07ff;

/// Sizes in bytes of the texts, UTF-16 with a terminating zero.
const NAME_LEN: usize = 32;
const IME_LEN: usize = 64;
const ID_LEN: usize = 64;

#[derive(Debug, Default, PartialEq)]
pub struct Core {
    version: u32,
    width: u16,
    height: u16,
    color_depth: u16,
    layout: u32,
    build: u32,
    name: String,
    keyboard: [u32; 3],
    ime: String,
    post_color_depth: u16,
    product: Option<u16>,
    serial: Option<u32>,
    high_color_depth: u16,
    capabilities: Option<u16>,
    id: Option<String>,
    connection: u8,
    physical: Option<(u32, u32)>,
    orientation: Option<u16>,
    scale: Option<(u32, u32)>,
}

impl Core {
    pub fn read(data: &[u8]) -> Option<Core> {
        let mut r = Cursor(data);
        let mut core = Core {
            version: r.le32()?,
            width: r.le16()?,
            height: r.le16()?,
            color_depth: r.le16()?,
            ..Core::default()
        };
        r.le16()?; // secure access sequence
        core.layout = r.le32()?;
        core.build = r.le32()?;
        core.name = utf16(&mut r, NAME_LEN)?;
        core.keyboard = [r.le32()?, r.le32()?, r.le32()?];
        core.ime = utf16(&mut r, IME_LEN)?;
        core.read_optional(r);
        Some(core)
    }

    /// None: the rest is missing or makes no sense.
    fn read_optional(&mut self, mut r: Cursor<'_>) -> Option<()> {
        self.post_color_depth = r.le16().filter(|n| matches!(n, 0 | 0xca00..=0xca04))?;
        self.product = Some(r.le16()?);
        self.serial = Some(r.le32()?);
        self.high_color_depth = r.le16().filter(|n| matches!(n, 0 | 4 | 8 | 15 | 16 | 24))?;
        r.le16()?; // supported depths
        self.capabilities = Some(r.le16().filter(|n| n & !CAPABILITIES_KNOWN == 0)?);
        self.id = Some(utf16(&mut r, ID_LEN)?);
        self.connection = r.u8()?;
        r.u8()?;
        r.le32()?; // the protocol the server chose
        let size = |n: &u32| (10..=10_000).contains(n);
        self.physical = Some((r.le32().filter(size)?, r.le32().filter(size)?));
        self.orientation = Some(r.le16().filter(|n| matches!(n, 0 | 90 | 180 | 270))?);
        let desktop = r.le32().filter(|n| (100..=500).contains(n))?;
        self.scale = Some((desktop, r.le32().filter(|n| matches!(n, 100 | 140 | 180))?));
        Some(())
    }

    /// The depth in bits: of the three fields the newest that says something.
    fn depth(&self) -> Option<u16> {
        let named = |n: u16| match n {
            0xca00 => Some(4),
            0xca01 => Some(8),
            0xca02 => Some(15),
            0xca03 => Some(16),
            0xca04 => Some(24),
            _ => None,
        };
        let high = Some(self.high_color_depth).filter(|n| *n > 0);
        high.or(named(self.post_color_depth)).or(named(self.color_depth).filter(|bits| *bits <= 8))
    }

    /// Writes the members of the `client` object.
    pub fn log(&self, out: &mut JsonWriter) {
        out.str("version", version_name(self.version));
        out.uint("desktop_width", u64::from(self.width));
        out.uint("desktop_height", u64::from(self.height));
        if let Some(bits) = self.depth() {
            out.uint("color_depth", u64::from(bits));
        }
        out.str("keyboard_layout", keyboard::name(self.layout));
        out.str("build", build_name(self.build));
        text(out, "client_name", &self.name);
        let [kind, subtype, keys] = self.keyboard;
        if let Some(name) = keyboard_name(kind) {
            out.str("keyboard_type", name);
        }
        number(out, "keyboard_subtype", subtype);
        number(out, "function_keys", keys);
        text(out, "ime", &self.ime);
        number(out, "product_id", self.product.map_or(0, u32::from));
        number(out, "serial_number", self.serial.unwrap_or(0));
        if let Some(flags) = self.capabilities {
            out.open_array("capabilities");
            CAPABILITIES.iter().filter(|(bit, _)| flags & bit != 0).for_each(|(_, name)| out.item_str(name));
            out.close_array();
        }
        text(out, "id", self.id.as_deref().unwrap_or_default());
        if let Some(name) = connection_name(self.connection) {
            out.str("connection_hint", name);
        }
        if let Some((width, height)) = self.physical {
            out.uint("physical_width", u64::from(width));
            out.uint("physical_height", u64::from(height));
        }
        if let Some(degrees) = self.orientation {
            out.uint("desktop_orientation", u64::from(degrees));
        }
        if let Some((desktop, device)) = self.scale {
            out.uint("scale_factor", u64::from(desktop));
            out.uint("device_scale_factor", u64::from(device));
        }
    }
}

fn text(out: &mut JsonWriter, key: &str, value: &str) {
    if !value.is_empty() {
        out.str(key, value);
    }
}

fn number(out: &mut JsonWriter, key: &str, value: u32) {
    if value != 0 {
        out.uint(key, u64::from(value));
    }
}

fn version_name(version: u32) -> &'static str {
    match version {
        0x0008_0001 => "v4",
        0x0008_0004 => "v5",
        0x0008_0005 => "v10.0",
        0x0008_0006 => "v10.1",
        0x0008_0007 => "v10.2",
        0x0008_0008 => "v10.3",
        0x0008_0009 => "v10.4",
        0x0008_000a => "v10.5",
        0x0008_000b => "v10.6",
        0x0008_000c => "v10.7",
        _ => "unknown",
    }
}

fn build_name(build: u32) -> &'static str {
    match build {
        1381 => "Windows NT 4.0",
        2195 => "Windows 2000",
        2600 => "Windows XP",
        3790 => "Windows Server 2003",
        6000 => "Windows Vista RTM",
        6001 => "Windows Vista SP1",
        6002 => "Windows Vista SP2",
        7600 => "Windows 7 RTM",
        7601 => "Windows 7 SP1",
        9200 => "Windows 8",
        9600 => "Windows 8.1",
        10_240 => "Windows 10 TH1",
        10_586 => "Windows 10 TH2",
        14_393 => "Windows 10 RS1",
        15_063 => "Windows 10 RS2",
        16_299 => "Windows 10 RS3",
        17_134 => "Windows 10 RS4",
        17_763 => "Windows 10 RS5",
        _ => "unknown",
    }
}

fn keyboard_name(kind: u32) -> Option<&'static str> {
    Some(match kind {
        1 => "xt",
        2 => "ico",
        3 => "at",
        4 => "enhanced",
        5 => "1050",
        6 => "9140",
        7 => "jp",
        _ => return None,
    })
}

fn connection_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        1 => "modem",
        2 => "low_broadband",
        3 => "satellite",
        4 => "high_broadband",
        5 => "wan",
        6 => "lan",
        7 => "autodetect",
        _ => return None,
    })
}

/// UTF-16 in a field of `len` bytes, up to its zero.
fn utf16(data: &mut Cursor<'_>, len: usize) -> Option<String> {
    let units = data
        .take(len)?
        .chunks_exact(2)
        .map(|pair| pair.iter().rev().fold(0u16, |n, b| n << 8 | u16::from(*b)));
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    Some(String::from_utf16_lossy(&units))
}

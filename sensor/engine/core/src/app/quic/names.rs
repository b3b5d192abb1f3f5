//! Names of TLS extensions (IANA, TLS ExtensionType Values) and versions, as EVE prints them.

pub fn extension(number: u16) -> Option<&'static str> {
    const NAMES: [&str; 60] = [
        "server_name",
        "max_fragment_length",
        "client_certificate_url",
        "trusted_ca_keys",
        "truncated_hmac",
        "status_request",
        "user_mapping",
        "client_authz",
        "server_authz",
        "cert_type",
        "supported_groups",
        "ec_point_formats",
        "srp",
        "signature_algorithms",
        "use_srtp",
        "heartbeat",
        "alpn",
        "status_request_v2",
        "signed_certificate_timestamp",
        "client_certificate_type",
        "server_certificate_type",
        "padding",
        "encrypt_then_mac",
        "extended_master_secret",
        "token_binding",
        "cached_info",
        "tls_lts",
        "compress_certificate",
        "record_size_limit",
        "pwd_protect",
        "pwd_clear",
        "password_salt",
        "ticket_pinning",
        "tls_cert_with_extern_psk",
        "delegated_credentials",
        "session_ticket",
        "tlmsp",
        "tlmsp_proxying",
        "tlmsp_delegate",
        "supported_ekt_ciphers",
        "",
        "pre_shared_key",
        "early_data",
        "supported_versions",
        "cookie",
        "psk_key_exchange_modes",
        "",
        "certificate_authorities",
        "oid_filters",
        "post_handshake_auth",
        "signature_algorithms_cert",
        "key_share",
        "transparency_info",
        "connection_id_deprecated",
        "connection_id",
        "external_id_hash",
        "external_session_id",
        "quic_transport_parameters",
        "ticket_request",
        "dnssec_chain",
    ];
    match number {
        0x3374 => Some("next_protocol_negotiation"),
        0xff01 => Some("renegotiation_info"),
        _ => NAMES.get(usize::from(number)).copied().filter(|name| !name.is_empty()),
    }
}

/// A version of TLS.
pub struct TlsVersion(pub u16);

impl std::fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            0x0300 => "Ssl30",
            0x0301 => "Tls10",
            0x0302 => "Tls11",
            0x0303 => "Tls12",
            0x0304 => "Tls13",
            0x7f12 => "Tls13Draft18",
            0x7f13 => "Tls13Draft19",
            0x7f14 => "Tls13Draft20",
            0x7f15 => "Tls13Draft21",
            0x7f16 => "Tls13Draft22",
            0x7f17 => "Tls13Draft23",
            other => return write!(f, "TlsVersion({other} / 0x{other:x})"),
        })
    }
}

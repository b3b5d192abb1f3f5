//! Names of IKE's numbers as EVE writes them (IANA "Internet Key Exchange (IKE) Attributes", "IKEv2 Parameters").

/// A table of numbers: names, and what unnamed ones are called.
#[derive(Clone, Copy)]
pub struct Kind {
    pub title: &'static str,
    names: &'static [(u16, &'static str)],
}

impl Kind {
    pub fn name(self, number: u16) -> Option<&'static str> {
        self.names.iter().find(|(n, _)| *n == number).map(|(_, name)| *name)
    }
}

pub const PAYLOAD: Kind = Kind {
    title: "IkePayloadType",
    names: &[
        (0, "NoNextPayload"),
        (33, "SecurityAssociation"),
        (34, "KeyExchange"),
        (35, "IdentInitiator"),
        (36, "IdentResponder"),
        (37, "Certificate"),
        (38, "CertificateRequest"),
        (39, "Authentication"),
        (40, "Nonce"),
        (41, "Notify"),
        (42, "Delete"),
        (43, "VendorID"),
        (44, "TrafficSelectorInitiator"),
        (45, "TrafficSelectorResponder"),
        (46, "EncryptedAndAuthenticated"),
        (47, "Configuration"),
        (48, "ExtensibleAuthentication"),
    ],
};

pub const ENCRYPTION: Kind = Kind {
    title: "IkeTransformEncType",
    names: &[
        (1, "ENCR_DES_IV64"),
        (2, "ENCR_DES"),
        (3, "ENCR_3DES"),
        (4, "ENCR_RC5"),
        (5, "ENCR_IDEA"),
        (6, "ENCR_CAST"),
        (7, "ENCR_BLOWFISH"),
        (8, "ENCR_3IDEA"),
        (9, "ENCR_DES_IV32"),
        (11, "ENCR_NULL"),
        (12, "ENCR_AES_CBC"),
        (13, "ENCR_AES_CTR"),
        (14, "ENCR_AES_CCM_8"),
        (15, "ENCR_AES_CCM_12"),
        (16, "ENCR_AES_CCM_16"),
        (18, "ENCR_AES_GCM_8"),
        (19, "ENCR_AES_GCM_12"),
        (20, "ENCR_AES_GCM_16"),
        (21, "ENCR_NULL_AUTH_AES_GMAC"),
        (23, "ENCR_CAMELLIA_CBC"),
        (24, "ENCR_CAMELLIA_CTR"),
        (25, "ENCR_CAMELLIA_CCM_8"),
        (26, "ENCR_CAMELLIA_CCM_12"),
        (27, "ENCR_CAMELLIA_CCM_16"),
        (28, "ENCR_CHACHA20_POLY1305"),
    ],
};

pub const PRF: Kind = Kind {
    title: "IkeTransformPRFType",
    names: &[
        (0, "PRF_NULL"),
        (1, "PRF_HMAC_MD5"),
        (2, "PRF_HMAC_SHA1"),
        (3, "PRF_HMAC_TIGER"),
        (4, "PRF_AES128_XCBC"),
        (5, "PRF_HMAC_SHA2_256"),
        (6, "PRF_HMAC_SHA2_384"),
        (7, "PRF_HMAC_SHA2_512"),
        (8, "PRF_AES128_CMAC"),
    ],
};

pub const INTEGRITY: Kind = Kind {
    title: "IkeTransformAuthType",
    names: &[
        (0, "NONE"),
        (1, "AUTH_HMAC_MD5_96"),
        (2, "AUTH_HMAC_SHA1_96"),
        (3, "AUTH_DES_MAC"),
        (4, "AUTH_KPDK_MD5"),
        (5, "AUTH_AES_XCBC_96"),
        (6, "AUTH_HMAC_MD5_128"),
        (7, "AUTH_HMAC_SHA1_160"),
        (8, "AUTH_AES_CMAC_96"),
        (9, "AUTH_AES_128_GMAC"),
        (10, "AUTH_AES_192_GMAC"),
        (11, "AUTH_AES_256_GMAC"),
        (12, "AUTH_HMAC_SHA2_256_128"),
        (13, "AUTH_HMAC_SHA2_384_192"),
        (14, "AUTH_HMAC_SHA2_512_256"),
    ],
};

pub const GROUP: Kind = Kind {
    title: "IkeTransformDHType",
    names: &[
        (0, "None"),
        (1, "Modp768"),
        (2, "Modp1024"),
        (5, "Modp1536"),
        (14, "Modp2048"),
        (15, "Modp3072"),
        (16, "Modp4096"),
        (17, "Modp6144"),
        (18, "Modp8192"),
        (19, "Ecp256"),
        (20, "Ecp384"),
        (21, "Ecp521"),
        (22, "Modp1024s160"),
        (23, "Modp2048s224"),
        (24, "Modp2048s256"),
        (25, "Ecp192"),
        (26, "Ecp224"),
        (27, "BrainpoolP224r1"),
        (28, "BrainpoolP256r1"),
        (29, "BrainpoolP384r1"),
        (30, "BrainpoolP512r1"),
        (31, "Curve25519"),
        (32, "Curve448"),
    ],
};

pub const SEQUENCE_NUMBERS: Kind = Kind { title: "IkeTransformESNType", names: &[(0, "NoESN"), (1, "ESN")] };

pub const NOTIFICATION: Kind = Kind {
    title: "NotifyType",
    names: &[
        (1, "UNSUPPORTED_CRITICAL_PAYLOAD"),
        (4, "INVALID_IKE_SPI"),
        (5, "INVALID_MAJOR_VERSION"),
        (7, "INVALID_SYNTAX"),
        (9, "INVALID_MESSAGE_ID"),
        (11, "INVALID_SPI"),
        (14, "NO_PROPOSAL_CHOSEN"),
        (17, "INVALID_KE_PAYLOAD"),
        (24, "AUTHENTICATION_FAILED"),
        (34, "SINGLE_PAIR_REQUIRED"),
        (35, "NO_ADDITIONAL_SAS"),
        (36, "INTERNAL_ADDRESS_FAILURE"),
        (37, "FAILED_CP_REQUIRED"),
        (38, "TS_UNACCEPTABLE"),
        (39, "INVALID_SELECTORS"),
        (43, "TEMPORARY_FAILURE"),
        (44, "CHILD_SA_NOT_FOUND"),
        (16384, "INITIAL_CONTACT"),
        (16385, "SET_WINDOW_SIZE"),
        (16386, "ADDITIONAL_TS_POSSIBLE"),
        (16387, "IPCOMP_SUPPORTED"),
        (16388, "NAT_DETECTION_SOURCE_IP"),
        (16389, "NAT_DETECTION_DESTINATION_IP"),
        (16390, "COOKIE"),
        (16391, "USE_TRANSPORT_MODE"),
        (16392, "HTTP_CERT_LOOKUP_SUPPORTED"),
        (16393, "REKEY_SA"),
        (16394, "ESP_TFC_PADDING_NOT_SUPPORTED"),
        (16395, "NON_FIRST_FRAGMENTS_ALSO"),
        (16404, "MULTIPLE_AUTH_SUPPORTED"),
        (16405, "ANOTHER_AUTH_FOLLOWS"),
        (16406, "REDIRECT_SUPPORTED"),
        (16430, "IKEV2_FRAGMENTATION_SUPPORTED"),
        (16431, "SIGNATURE_HASH_ALGORITHMS"),
    ],
};

/// Payload types of version 1 (RFC 2408 section 3.1, RFC 6407, RFC 3947).
const PAYLOAD_1: &[(u8, &str)] = &[
    (0, "None"),
    (1, "SecurityAssociation"),
    (2, "Proposal"),
    (3, "Transform"),
    (4, "KeyExchange"),
    (5, "Identification"),
    (6, "Certificate"),
    (7, "CertificateRequest"),
    (8, "Hash"),
    (9, "Signature"),
    (10, "Nonce"),
    (11, "Notification"),
    (12, "Delete"),
    (13, "VendorID"),
    (15, "SaKekPayload"),
    (16, "SaTekPayload"),
    (17, "KeyDownload"),
    (18, "SequenceNumber"),
    (19, "ProofOfPossession"),
    (20, "NatDiscovery"),
    (21, "NatOriginalAddress"),
    (22, "GroupAssociatedPolicy"),
];

pub fn payload_1(kind: u8) -> Option<&'static str> {
    PAYLOAD_1.iter().find(|(k, _)| *k == kind).map(|(_, name)| *name)
}

/// Attributes of version 1 (RFC 2409 appendix A): key of the name, key of the number; index = type - 1.
const ATTRIBUTES: [(&str, &str); 16] = [
    ("alg_enc", "alg_enc_raw"),
    ("alg_hash", "alg_hash_raw"),
    ("alg_auth", "alg_auth_raw"),
    ("alg_dh", "alg_dh_raw"),
    ("sa_group_type", "sa_group_type_raw"),
    ("sa_group_prime", "sa_group_prime_raw"),
    ("sa_group_generator_one", "sa_group_generator_one_raw"),
    ("sa_group_generator_two", "sa_group_generator_two_raw"),
    ("sa_group_curve_a", "sa_group_curve_a_raw"),
    ("sa_group_curve_b", "sa_group_curve_b_raw"),
    ("sa_life_type", "sa_life_type_raw"),
    ("sa_life_duration", "sa_life_duration_raw"),
    ("alg_prf", "alg_prf_raw"),
    ("sa_key_length", "sa_key_length_raw"),
    ("sa_field_size", "sa_field_size_raw"),
    ("sa_group_order", "sa_group_order_raw"),
];

pub fn attribute(kind: u16) -> Option<(&'static str, &'static str)> {
    ATTRIBUTES.get(usize::from(kind.checked_sub(1)?)).copied()
}

pub fn attribute_number(name: &str) -> Option<u16> {
    let at = ATTRIBUTES.iter().position(|(n, _)| *n == name)?;
    u16::try_from(at.saturating_add(1)).ok()
}

const ENCRYPTION_1: &[&str] = &[
    "",
    "EncDesCbc",
    "EncIdeaCbc",
    "EncBlowfishCbc",
    "EncRc5R16B64Cbc",
    "EncTripleDesCbc",
    "EncCastCbc",
    "EncAesCbc",
    "EncCamelliaCbc",
];
const HASH_1: &[&str] =
    &["", "HashMd5", "HashSha", "HashTiger", "HashSha2_256", "HashSha2_384", "HashSha2_512"];
const AUTHENTICATION_1: &[&str] = &[
    "",
    "AuthPreSharedKey",
    "AuthDssSignatures",
    "AuthRsaSignatures",
    "AuthEncryptionWithRsa",
    "AuthRevisedEncryptionWithRsa",
    "AuthReserved",
    "AuthReserved",
    "AuthReserved",
    "AuthEcdsaSha256",
    "AuthEcdsaSha384",
    "AuthEcdsaSha512",
];
const GROUP_1: &[&str] = &[
    "",
    "GroupDefault768BitModp",
    "GroupAlternate1024BitModpGroup",
    "GroupEc2nOnGp2p155",
    "GroupEc2nOnGp2p185",
    "GroupModp1536Bit",
    "GroupEc2nOverGf2p163",
    "GroupEc2nOverGf2p163",
    "GroupEc2nOverGf2p283",
    "GroupEc2nOverGf2p283",
    "GroupEc2nOverGf2p409",
    "GroupEc2nOverGf2p409",
    "GroupEc2nOverGf2p571",
    "GroupEc2nOverGf2p571",
    "GroupModp2048Bit",
    "GroupModp3072Bit",
    "GroupModp4096Bit",
    "GroupModp6144Bit",
    "GroupModp8192Bit",
    "GroupRandomEcp256",
    "GroupRandomEcp384",
    "GroupRandomEcp521",
    "GroupModp1024With160BitPrime",
    "GroupModp2048With224BitPrime",
    "GroupModp2048With256BitPrime",
    "GroupRandomEcp192",
    "GroupRandomEcp224",
    "GroupBrainpoolEcp224",
    "GroupBrainpoolEcp256",
    "GroupBrainpoolEcp384",
    "GroupBrainpoolEcp512",
];
const LIFE_TYPE_1: &[&str] = &["", "LifeTypeSeconds", "LifeTypeKilobytes"];

/// Name of an attribute's value, "Unknown" where it has none.
pub fn value_1(kind: u16, value: u64) -> &'static str {
    let names = match kind {
        1 => ENCRYPTION_1,
        2 => HASH_1,
        3 => AUTHENTICATION_1,
        4 => GROUP_1,
        11 => LIFE_TYPE_1,
        _ => return "Unknown",
    };
    let name = usize::try_from(value).ok().and_then(|at| names.get(at)).copied().unwrap_or_default();
    if name.is_empty() {
        "Unknown"
    } else {
        name
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
    }
    text
}

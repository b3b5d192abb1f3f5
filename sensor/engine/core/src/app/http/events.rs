//! The app-layer events of HTTP, named as `app-layer-event:http.*` names them. Nothing here decides when one is raised.

macro_rules! events {
    ($($variant:ident => $name:literal,)*) => {
        /// One oddity; the number is its place in `Protocol::events`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(dead_code)] // rules may name events that this parser has no reason to raise
        pub enum Event { $($variant,)* }
        /// In the order of `Event`; written as EVE does, rules say them in any case.
        pub const NAMES: &[&str] = &[$($name,)*];
    };
}

events! {
    UnknownError => "UNKNOWN_ERROR",
    GzipDecompressionFailed => "GZIP_DECOMPRESSION_FAILED",
    RequestFieldMissingColon => "REQUEST_FIELD_MISSING_COLON",
    ResponseFieldMissingColon => "RESPONSE_FIELD_MISSING_COLON",
    InvalidRequestChunkLen => "INVALID_REQUEST_CHUNK_LEN",
    InvalidResponseChunkLen => "INVALID_RESPONSE_CHUNK_LEN",
    InvalidTransferEncodingInRequest => "INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST",
    InvalidTransferEncodingInResponse => "INVALID_TRANSFER_ENCODING_VALUE_IN_RESPONSE",
    InvalidContentLengthInRequest => "INVALID_CONTENT_LENGTH_FIELD_IN_REQUEST",
    InvalidContentLengthInResponse => "INVALID_CONTENT_LENGTH_FIELD_IN_RESPONSE",
    DuplicateContentLengthInRequest => "DUPLICATE_CONTENT_LENGTH_FIELD_IN_REQUEST",
    DuplicateContentLengthInResponse => "DUPLICATE_CONTENT_LENGTH_FIELD_IN_RESPONSE",
    ContinueAlreadySeen => "100_CONTINUE_ALREADY_SEEN",
    UnableToMatchResponse => "UNABLE_TO_MATCH_RESPONSE_TO_REQUEST",
    InvalidServerPort => "INVALID_SERVER_PORT_IN_REQUEST",
    InvalidAuthorityPort => "INVALID_AUTHORITY_PORT",
    RequestHeaderInvalid => "REQUEST_HEADER_INVALID",
    ResponseHeaderInvalid => "RESPONSE_HEADER_INVALID",
    MissingHost => "MISSING_HOST_HEADER",
    HostAmbiguous => "HOST_HEADER_AMBIGUOUS",
    InvalidRequestFolding => "INVALID_REQUEST_FIELD_FOLDING",
    InvalidResponseFolding => "INVALID_RESPONSE_FIELD_FOLDING",
    RequestFieldTooLong => "REQUEST_FIELD_TOO_LONG",
    ResponseFieldTooLong => "RESPONSE_FIELD_TOO_LONG",
    FileNameTooLong => "FILE_NAME_TOO_LONG",
    ServerPortMismatch => "REQUEST_SERVER_PORT_TCP_PORT_MISMATCH",
    UriHostInvalid => "REQUEST_URI_HOST_INVALID",
    HeaderHostInvalid => "REQUEST_HEADER_HOST_INVALID",
    MethodDelimiter => "METHOD_DELIM_NON_COMPLIANT",
    UriDelimiter => "URI_DELIM_NON_COMPLIANT",
    LeadingWhitespace => "REQUEST_LINE_LEADING_WHITESPACE",
    TooManyEncodingLayers => "TOO_MANY_ENCODING_LAYERS",
    RequestChunkExtension => "REQUEST_CHUNK_EXTENSION",
    ResponseChunkExtension => "RESPONSE_CHUNK_EXTENSION",
    MissingProtocol => "REQUEST_LINE_MISSING_PROTOCOL",
    RequestTooManyHeaders => "REQUEST_TOO_MANY_HEADERS",
    ResponseTooManyHeaders => "RESPONSE_TOO_MANY_HEADERS",
    AbnormalContentEncoding => "ABNORMAL_CE_HEADER",
    MultipartByteranges => "RESPONSE_MULTIPART_BYTERANGES",
    AbnormalTransferEncoding => "RESPONSE_ABNORMAL_TRANSFER_ENCODING",
    ChunkedOldProtocol => "RESPONSE_CHUNKED_OLD_PROTO",
    ResponseInvalidProtocol => "RESPONSE_INVALID_PROTOCOL",
    ResponseInvalidStatus => "RESPONSE_INVALID_STATUS",
    RequestLineIncomplete => "REQUEST_LINE_INCOMPLETE",
    DoubleEncodedUri => "DOUBLE_ENCODED_URI",
    RequestLineInvalid => "REQUEST_LINE_INVALID",
    RequestBodyUnexpected => "REQUEST_BODY_UNEXPECTED",
    ResponseBodyUnexpected => "RESPONSE_BODY_UNEXPECTED",
    AuthUnrecognized => "REQUEST_AUTH_UNRECOGNIZED",
    RequestHeaderRepetition => "REQUEST_HEADER_REPETITION",
    ResponseHeaderRepetition => "RESPONSE_HEADER_REPETITION",
    LzmaMemlimit => "LZMA_MEMLIMIT_REACHED",
    CompressionBomb => "COMPRESSION_BOMB",
    CompressionBombLimit => "COMPRESSION_BOMB_LIMIT_REACHED",
    TooManyWarnings => "TOO_MANY_WARNINGS",
    RangeInvalid => "RANGE_INVALID",
    FailedProtocolChange => "FAILED_PROTOCOL_CHANGE",
    MultipartGenericError => "MULTIPART_GENERIC_ERROR",
    MultipartNoFiledata => "MULTIPART_NO_FILEDATA",
    MultipartInvalidHeader => "MULTIPART_INVALID_HEADER",
}

//! The app-layer events of HTTP, named as `app-layer-event:http.*` names them. Nothing here decides when one is raised.

macro_rules! events {
    ($($variant:ident => $name:literal,)*) => {
        /// One oddity; the number is its place in `Protocol::events`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(dead_code)] // rules may name events that this parser has no reason to raise
        pub enum Event { $($variant,)* }
        /// Rule names, in the order of `Event`.
        pub const NAMES: &[&str] = &[$($name,)*];
    };
}

events! {
    UnknownError => "unknown_error",
    GzipDecompressionFailed => "gzip_decompression_failed",
    RequestFieldMissingColon => "request_field_missing_colon",
    ResponseFieldMissingColon => "response_field_missing_colon",
    InvalidRequestChunkLen => "invalid_request_chunk_len",
    InvalidResponseChunkLen => "invalid_response_chunk_len",
    InvalidTransferEncodingInRequest => "invalid_transfer_encoding_value_in_request",
    InvalidTransferEncodingInResponse => "invalid_transfer_encoding_value_in_response",
    InvalidContentLengthInRequest => "invalid_content_length_field_in_request",
    InvalidContentLengthInResponse => "invalid_content_length_field_in_response",
    DuplicateContentLengthInRequest => "duplicate_content_length_field_in_request",
    DuplicateContentLengthInResponse => "duplicate_content_length_field_in_response",
    ContinueAlreadySeen => "100_continue_already_seen",
    UnableToMatchResponse => "unable_to_match_response_to_request",
    InvalidServerPort => "invalid_server_port_in_request",
    InvalidAuthorityPort => "invalid_authority_port",
    RequestHeaderInvalid => "request_header_invalid",
    ResponseHeaderInvalid => "response_header_invalid",
    MissingHost => "missing_host_header",
    HostAmbiguous => "host_header_ambiguous",
    InvalidRequestFolding => "invalid_request_field_folding",
    InvalidResponseFolding => "invalid_response_field_folding",
    RequestFieldTooLong => "request_field_too_long",
    ResponseFieldTooLong => "response_field_too_long",
    FileNameTooLong => "file_name_too_long",
    ServerPortMismatch => "request_server_port_tcp_port_mismatch",
    UriHostInvalid => "request_uri_host_invalid",
    HeaderHostInvalid => "request_header_host_invalid",
    MethodDelimiter => "method_delim_non_compliant",
    UriDelimiter => "uri_delim_non_compliant",
    LeadingWhitespace => "request_line_leading_whitespace",
    TooManyEncodingLayers => "too_many_encoding_layers",
    RequestChunkExtension => "request_chunk_extension",
    ResponseChunkExtension => "response_chunk_extension",
    MissingProtocol => "request_line_missing_protocol",
    RequestTooManyHeaders => "request_too_many_headers",
    ResponseTooManyHeaders => "response_too_many_headers",
    AbnormalContentEncoding => "abnormal_ce_header",
    MultipartByteranges => "response_multipart_byteranges",
    AbnormalTransferEncoding => "response_abnormal_transfer_encoding",
    ChunkedOldProtocol => "response_chunked_old_proto",
    ResponseInvalidProtocol => "response_invalid_protocol",
    ResponseInvalidStatus => "response_invalid_status",
    RequestLineIncomplete => "request_line_incomplete",
    DoubleEncodedUri => "double_encoded_uri",
    RequestLineInvalid => "request_line_invalid",
    RequestBodyUnexpected => "request_body_unexpected",
    ResponseBodyUnexpected => "response_body_unexpected",
    AuthUnrecognized => "request_auth_unrecognized",
    RequestHeaderRepetition => "request_header_repetition",
    ResponseHeaderRepetition => "response_header_repetition",
    LzmaMemlimit => "lzma_memlimit_reached",
    CompressionBomb => "compression_bomb",
    CompressionBombLimit => "compression_bomb_limit_reached",
    TooManyWarnings => "too_many_warnings",
    RangeInvalid => "range_invalid",
    FailedProtocolChange => "failed_protocol_change",
    MultipartGenericError => "multipart_generic_error",
    MultipartNoFiledata => "multipart_no_filedata",
    MultipartInvalidHeader => "multipart_invalid_header",
}

//! Any bytes as a capture file: frames, warnings or one error, and never more bytes out than in.
#![no_main]

use haidang_core::capture::{read, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(mut source) = read("fuzz", Box::new(std::io::Cursor::new(data.to_vec()))) else { return };
    let mut bytes = 0;
    while let Some(Ok(frame)) = source.next() {
        bytes += frame.data.len();
        std::hint::black_box(frame);
    }
    assert!(bytes <= data.len());
    assert!(source.warnings().len() <= 1);
});

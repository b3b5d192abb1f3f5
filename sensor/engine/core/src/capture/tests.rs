//! Capture files built by hand in every variant, and damage to each of them.

use super::*;
use proptest::prelude::*;

/// Hands out a few bytes at a time, so that records straddle reads.
struct Dribble(std::io::Cursor<Vec<u8>>);

impl Read for Dribble {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let len = out.len().min(7);
        self.0.read(&mut out[..len])
    }
}

fn source(bytes: Vec<u8>) -> FileSource {
    super::read("memory", Box::new(Dribble(std::io::Cursor::new(bytes)))).unwrap()
}

/// (data, nanoseconds, wire length, link type) of every frame, and the warnings.
type Frames = (Vec<(Vec<u8>, u64, u32, u16)>, Vec<String>);

fn read(bytes: Vec<u8>) -> Frames {
    let mut one_by_one = source(bytes.clone());
    let mut frames = Vec::new();
    while let Some(frame) = one_by_one.next() {
        let frame = frame.unwrap();
        frames.push((frame.data.to_vec(), frame.ts.0, frame.wire_len, frame.link_type));
    }
    assert_eq!(left_where_they_lie(bytes), frames.iter().map(|frame| frame.0.clone()).collect::<Vec<_>>());
    (frames, one_by_one.warnings().to_vec())
}

/// The data of every frame, looked up in the buffers in which they were read.
fn left_where_they_lie(bytes: Vec<u8>) -> Vec<Vec<u8>> {
    let mut source = source(bytes);
    source.hand_over(vec![0xee; 3]);
    let (mut frames, mut places) = (Vec::new(), Vec::new());
    let mut look_up = |places: &mut Vec<(usize, usize)>, buffer: &[u8]| {
        frames.extend(places.drain(..).map(|(start, len)| buffer[start..start + len].to_vec()));
    };
    while let Some(found) = source.next_placed() {
        let (frame, start) = found.unwrap();
        let place = (start, frame.data.len());
        if let Some(mut buffer) = source.given() {
            look_up(&mut places, &buffer);
            buffer.fill(0xee);
            source.hand_over(buffer);
        }
        places.push(place);
    }
    look_up(&mut places, &source.last());
    assert!(source.next().is_none());
    frames
}

struct Order(bool);

impl Order {
    fn u32(&self, value: u32) -> [u8; 4] {
        if self.0 {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }
    fn u16(&self, value: u16) -> [u8; 2] {
        if self.0 {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }
    fn pcap(&self, magic: u32, packets: &[&[u8]]) -> Vec<u8> {
        let mut out = self.u32(magic).to_vec();
        out.extend(self.u16(2));
        out.extend(self.u16(4));
        for field in [0, 0, 65_535, 101] {
            out.extend(self.u32(field));
        }
        for packet in packets {
            for field in [7, 9, packet.len() as u32, packet.len() as u32 + 1] {
                out.extend(self.u32(field));
            }
            if magic == 0xa1b2_cd34 {
                out.extend([0; 8]);
            }
            out.extend_from_slice(packet);
        }
        out
    }
    fn block(&self, kind: u32, body: &[u8]) -> Vec<u8> {
        let length = body.len().next_multiple_of(4) as u32 + 12;
        let mut out = self.u32(kind).to_vec();
        out.extend(self.u32(length));
        out.extend_from_slice(body);
        out.resize(length as usize - 4, 0);
        out.extend(self.u32(length));
        out
    }
    fn section(&self) -> Vec<u8> {
        let mut body = self.u32(0x1a2b_3c4d).to_vec();
        body.extend(self.u16(1));
        body.extend(self.u16(0));
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body)
    }
    fn interface(&self, link_type: u16, resolution: Option<u8>, offset: Option<i64>) -> Vec<u8> {
        let mut body = self.u16(link_type).to_vec();
        body.extend(self.u16(0));
        body.extend(self.u32(0));
        if let Some(resolution) = resolution {
            body.extend(self.u16(9));
            body.extend(self.u16(1));
            body.extend([resolution, 0, 0, 0]);
        }
        if let Some(offset) = offset {
            body.extend(self.u16(14));
            body.extend(self.u16(8));
            body.extend(if self.0 { offset.to_be_bytes() } else { offset.to_le_bytes() });
        }
        self.block(1, &body)
    }
    fn enhanced(&self, interface: u32, ticks: u64, data: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        for field in [interface, (ticks >> 32) as u32, ticks as u32, data.len() as u32, data.len() as u32] {
            body.extend(self.u32(field));
        }
        body.extend_from_slice(data);
        self.block(6, &body)
    }
}

#[test]
fn reads_every_pcap_variant() {
    for big in [false, true] {
        for (magic, nanos) in [(0xa1b2_c3d4, 9_000), (0xa1b2_3c4d, 9), (0xa1b2_cd34, 9_000)] {
            let (frames, warnings) = read(Order(big).pcap(magic, &[b"one", b"", b"three"]));
            let ts = 7_000_000_000 + nanos;
            assert_eq!(
                frames,
                vec![
                    (b"one".to_vec(), ts, 4, 101),
                    (b"".to_vec(), ts, 1, 101),
                    (b"three".to_vec(), ts, 6, 101)
                ]
            );
            assert!(warnings.is_empty(), "{warnings:?}");
        }
    }
}

#[test]
fn truncated_pcap_gives_what_was_read_and_a_warning() {
    let whole = Order(false).pcap(0xa1b2_c3d4, &[b"one", b"two"]);
    for cut in 1..19 {
        let (frames, warnings) = read(whole[..whole.len() - cut].to_vec());
        assert_eq!(frames.len(), 1);
        assert_eq!(warnings.len(), usize::from(cut < 19), "cut {cut}");
    }
}

#[test]
fn reads_pcapng_sections_interfaces_and_clocks() {
    let mut file = Vec::new();
    for order in [Order(false), Order(true)] {
        file.extend(order.section());
        file.extend(order.interface(1, None, None));
        file.extend(order.interface(101, Some(9), None));
        file.extend(order.interface(113, Some(0x80 | 10), Some(100)));
        file.extend(order.interface(0, Some(12), None));
        file.extend(order.block(0x0bad, b"unknown block"));
        file.extend(order.enhanced(0, 3, b"micro"));
        file.extend(order.enhanced(1, 3, b"nano"));
        file.extend(order.enhanced(2, 512, b"binary"));
        file.extend(order.enhanced(3, 5_000, b"pico"));
        let mut simple = order.u32(6).to_vec();
        simple.extend_from_slice(b"simple");
        file.extend(order.block(3, &simple));
    }
    let (frames, warnings) = read(file);
    assert!(warnings.is_empty(), "{warnings:?}");
    let one = vec![
        (b"micro".to_vec(), 3_000, 5, 1),
        (b"nano".to_vec(), 3, 4, 101),
        (b"binary".to_vec(), 100_500_000_000, 6, 113),
        (b"pico".to_vec(), 5, 4, 0),
        (b"simple".to_vec(), 5, 6, 1),
    ];
    assert_eq!(frames, [one.clone(), one].concat());
}

#[test]
fn damage_stops_with_a_warning() {
    let order = Order(false);
    let mut file = order.section();
    file.extend(order.interface(1, None, None));
    file.extend(order.enhanced(0, 1, b"good"));
    let tails: [Vec<u8>; 4] = [
        order.enhanced(9, 1, b"no such interface"),
        vec![6, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0],
        vec![6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        vec![6, 0, 0, 0, 64],
    ];
    for tail in tails {
        let (frames, warnings) = read([file.clone(), tail].concat());
        assert_eq!((frames.len(), warnings.len()), (1, 1), "{warnings:?}");
    }
}

#[test]
fn errors_name_the_trouble_and_the_fix() {
    let dir = std::env::temp_dir().join(format!("haidang-capture-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let cases: [(&str, &[u8], &str); 5] = [
        ("empty.pcap", b"", "is empty"),
        ("a.pcap.gz", b"\x1f\x8b\x08rest", "gzip"),
        ("a.pcap.zst", b"\x28\xb5\x2f\xfdrest", "zstd"),
        ("a.rules", b"alert tcp any", "not a pcap"),
        ("cut.pcap", b"\xd4\xc3\xb2\xa1\x02\x00", "file header"),
    ];
    for (name, content, expected) in cases {
        let path = dir.join(name);
        std::fs::write(&path, content).unwrap();
        let message = open(&path).err().unwrap().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains('\n'));
    }
    assert!(open(&dir).err().unwrap().to_string().contains("is a directory"));
    assert!(open(&dir.join("absent")).err().unwrap().to_string().contains("no such file"));
    std::fs::remove_dir_all(&dir).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    /// Any damage to a capture ends in frames and at most one warning, never in a panic or a loop.
    #[test]
    fn any_damage_is_survived(
        at in 0usize..400, with in any::<[u8; 4]>(), ng in any::<bool>(), big in any::<bool>(), cut in 0usize..400,
    ) {
        let order = Order(big);
        let mut file = if ng {
            [order.section(), order.interface(1, Some(6), Some(1)), order.enhanced(0, 1, &[7; 60]),
             order.enhanced(0, 2, &[8; 90])].concat()
        } else {
            order.pcap(0xa1b2_c3d4, &[&[7; 60], &[8; 90]])
        };
        file.truncate(file.len().saturating_sub(cut).max(24));
        for (index, byte) in with.iter().enumerate() {
            if let Some(slot) = file.get_mut(24 + at + index) {
                *slot = *byte;
            }
        }
        let (frames, warnings) = read(file);
        prop_assert!(frames.len() <= 20);
        prop_assert!(warnings.len() <= 1);
    }
}

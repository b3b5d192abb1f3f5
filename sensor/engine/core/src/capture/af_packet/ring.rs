//! The ring that kernel and worker share (Linux, Documentation/networking/packet_mmap.rst, TPACKET_V3): blocks that the kernel fills
//! with frames and hands over, and that are given back when the frames are through.

use super::config::Interface;
use super::socket::{Device, KernelCounts, Socket, TAG_BYTES};
use crate::capture::Frame;
use crate::time::Timestamp;
use std::mem::{offset_of, size_of};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

/// The kernel checks sizes against frames of this size; frames of this ring take what they need.
const FRAME_BYTES: u32 = 2048;
/// Where the sender's address follows a frame's header.
const ADDRESS_AT: usize = size_of::<libc::tpacket3_hdr>().next_multiple_of(libc::TPACKET_ALIGNMENT);
const MAC_ADDRESSES: usize = 12;
const ETHERTYPE_VLAN: u16 = 0x8100;
const LINK_TYPE_ETHERNET: u16 = 1;

/// What one ring has seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct RingCounts {
    pub kernel: KernelCounts,
    /// Frames that were taken out.
    pub frames: u64,
    /// Frames that this machine had sent, left out.
    pub outgoing: u64,
    /// Frames longer than a block.
    pub truncated: u64,
    /// Frames whose outermost VLAN tag was put back.
    pub tags: u64,
    /// Frames whose place in the ring makes no sense, left out.
    pub damaged: u64,
}

pub struct Ring {
    socket: Socket,
    memory: NonNull<u8>,
    block_bytes: usize,
    blocks: usize,
    /// The block in hand or awaited.
    at: usize,
    /// Frames of it still to come, and where the next one's header is in it; None: the kernel has it.
    open: Option<(u32, usize)>,
    counts: RingCounts,
}

// SAFETY: the memory is this ring's alone (besides the kernel), and a Ring is used by one thread at a time.
unsafe impl Send for Ring {}

impl Ring {
    /// A ring on the interface that lets nothing in yet.
    pub fn open(one: &Interface, device: &Device) -> Result<Ring, String> {
        let socket = Socket::open()?;
        socket.close_filter()?;
        socket.make_ring(&libc::tpacket_req3 {
            tp_block_size: one.block_bytes,
            tp_block_nr: one.blocks,
            tp_frame_size: FRAME_BYTES,
            tp_frame_nr: (one.block_bytes / FRAME_BYTES).saturating_mul(one.blocks),
            tp_retire_blk_tov: one.block_timeout_ms,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        })?;
        let (block_bytes, blocks) = (one.block_bytes as usize, one.blocks as usize);
        // SAFETY: a new mapping, of the size of the ring that was just made on this descriptor.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                block_bytes * blocks,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(format!("cannot map the ring: {}", std::io::Error::last_os_error()));
        }
        let memory = NonNull::new(memory.cast()).ok_or("cannot map the ring")?;
        socket.bind(device)?;
        Ok(Ring { socket, memory, block_bytes, blocks, at: 0, open: None, counts: RingCounts::default() })
    }

    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The counts up to now.
    pub fn counts(&mut self) -> RingCounts {
        let news = self.socket.kernel_counts();
        let kernel = &mut self.counts.kernel;
        kernel.packets = kernel.packets.saturating_add(news.packets);
        kernel.drops = kernel.drops.saturating_add(news.drops);
        kernel.freezes = kernel.freezes.saturating_add(news.freezes);
        self.counts
    }

    fn block(&self) -> *mut u8 {
        // SAFETY: `at` is below `blocks`, so this is within the mapping.
        unsafe { self.memory.as_ptr().add(self.at * self.block_bytes) }
    }

    fn status(&self) -> &AtomicU32 {
        let at = offset_of!(libc::tpacket_block_desc, hdr) + offset_of!(libc::tpacket_hdr_v1, block_status);
        // SAFETY: within the mapped block, aligned (a block begins a page); kernel and worker both change it as one word.
        unsafe { AtomicU32::from_ptr(self.block().add(at).cast()) }
    }

    /// The header of the next frame: the block's, once the kernel has handed it over. Finished blocks are given back.
    fn header(&mut self) -> Option<(usize, libc::tpacket3_hdr)> {
        loop {
            let Some((left, at)) = self.open else {
                if self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
                    return None;
                }
                let head = offset_of!(libc::tpacket_block_desc, hdr);
                // SAFETY: a block is larger than its header, and belongs to us since its status says so.
                let head: libc::tpacket_hdr_v1 =
                    unsafe { ptr::read_unaligned(self.block().add(head).cast()) };
                self.open = Some((head.num_pkts, head.offset_to_first_pkt as usize));
                continue;
            };
            let fits = at.checked_add(ADDRESS_AT + size_of::<libc::sockaddr_ll>());
            if left == 0 || fits.is_none_or(|end| end > self.block_bytes) {
                self.counts.damaged = self.counts.damaged.saturating_add(left.into());
                self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
                self.open = None;
                self.at = (self.at + 1) % self.blocks;
                continue;
            }
            // SAFETY: the header is inside the block, as was just checked.
            return Some((at, unsafe { ptr::read_unaligned(self.block().add(at).cast()) }));
        }
    }

    /// When the next frame came; None: there is none yet.
    #[inline]
    pub fn peek(&mut self) -> Option<Timestamp> {
        self.header().map(|(_, header)| Timestamp::from_parts(header.tp_sec.into(), header.tp_nsec.into()))
    }

    /// The next frame; None: there is none yet.
    #[inline]
    pub fn take(&mut self) -> Option<Frame<'_>> {
        let (start, len, wire_len, ts) = loop {
            let (at, header) = self.header()?;
            let left = self.open.map_or(0, |(left, _)| left);
            self.open = Some((left.saturating_sub(1), at.saturating_add(header.tp_next_offset as usize)));
            self.counts.frames = self.counts.frames.saturating_add(1);
            let kind_at = at + ADDRESS_AT + offset_of!(libc::sockaddr_ll, sll_pkttype);
            // SAFETY: `header` has checked that the address is inside the block.
            let kind = unsafe { *self.block().add(kind_at) };
            if kind == libc::PACKET_OUTGOING {
                self.counts.outgoing = self.counts.outgoing.saturating_add(1);
                continue;
            }
            let (start, len) = (at.saturating_add(header.tp_mac.into()), header.tp_snaplen as usize);
            if start.saturating_add(len) > self.block_bytes {
                self.counts.damaged = self.counts.damaged.saturating_add(1);
                continue;
            }
            if header.tp_snaplen < header.tp_len {
                self.counts.truncated = self.counts.truncated.saturating_add(1);
            }
            let ts = Timestamp::from_parts(header.tp_sec.into(), header.tp_nsec.into());
            let room = at + ADDRESS_AT + size_of::<libc::sockaddr_ll>() + TAG_BYTES as usize;
            let is_tagged = header.tp_status & libc::TP_STATUS_VLAN_VALID != 0;
            if is_tagged && len >= MAC_ADDRESSES && start >= room {
                self.put_tag_back(start, &header);
                let added = TAG_BYTES as usize;
                break (start - added, len + added, header.tp_len.saturating_add(TAG_BYTES), ts);
            }
            break (start, len, header.tp_len, ts);
        };
        // SAFETY: inside the block, which is ours until `take` is called again: the borrow of self ends before.
        let data = unsafe { std::slice::from_raw_parts(self.block().add(start), len) };
        Some(Frame { data, ts, wire_len, link_type: LINK_TYPE_ETHERNET })
    }

    fn put_tag_back(&mut self, start: usize, header: &libc::tpacket3_hdr) {
        self.counts.tags = self.counts.tags.saturating_add(1);
        let kind = match header.tp_status & libc::TP_STATUS_VLAN_TPID_VALID {
            0 => ETHERTYPE_VLAN,
            _ => header.hv1.tp_vlan_tpid,
        };
        let [k0, k1] = kind.to_be_bytes();
        let [t0, t1] = (header.hv1.tp_vlan_tci as u16).to_be_bytes();
        let tag = [k0, k1, t0, t1];
        // SAFETY: the caller has checked that the frame is inside the block, that the addresses are in it, and that before it is
        // room for a tag (PACKET_RESERVE) which no header reaches into. The ranges of the move overlap, which `copy` allows.
        unsafe {
            let frame = self.block().add(start);
            ptr::copy(frame, frame.sub(tag.len()), MAC_ADDRESSES);
            ptr::copy_nonoverlapping(tag.as_ptr(), frame.add(MAC_ADDRESSES - tag.len()), tag.len());
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping that `open` made, which nothing borrows any more.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.block_bytes * self.blocks) };
    }
}

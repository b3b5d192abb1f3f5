//! Packet sockets (packet(7)): every system call of live capture but those of the ring. Nothing here ever transmits.

use super::config::{Cluster, Interface};
use super::program;
use crate::capture::bpf::Instruction;
use std::ffi::CString;
use std::fs;
use std::io;
use std::mem::{size_of, size_of_val};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Bytes kept free before a frame, for the VLAN tag that the kernel took off.
pub const TAG_BYTES: u32 = 4;

/// Hardware types whose frames begin with an Ethernet header (linux/if_arp.h): Ethernet, loopback.
const ETHERNET_LIKE: [u32; 2] = [1, 772];

/// What the kernel counted since the last time it was asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelCounts {
    /// Packets for this socket that passed its filter, dropped ones among them.
    pub packets: u64,
    pub drops: u64,
    /// How often the ring was full.
    pub freezes: u64,
}

pub struct Socket {
    fd: OwnedFd,
}

/// An interface as the system knows it.
pub struct Device {
    pub index: i32,
}

impl Device {
    /// Errors say what is wrong with the interface and what to do.
    pub fn find(name: &str) -> Result<Device, String> {
        let text = CString::new(name).map_err(|_| format!("`{name}` is no interface name"))?;
        // SAFETY: `text` is a C string that lives until the call returns.
        let index = unsafe { libc::if_nametoindex(text.as_ptr()) };
        if index == 0 {
            return Err(format!("{name}: no such interface: `ip link` lists them"));
        }
        let kind = fs::read_to_string(format!("/sys/class/net/{name}/type")).unwrap_or_default();
        // In a network namespace of its own /sys may show another's interfaces: what it does not know is let pass.
        if let Ok(kind) = kind.trim().parse::<u32>() {
            if !ETHERNET_LIKE.contains(&kind) {
                return Err(format!(
                    "{name}: its frames have no Ethernet header (hardware type {kind}): capture on the interface below it"
                ));
            }
        }
        Ok(Device { index: i32::try_from(index).map_err(|_| format!("{name}: interface number {index}"))? })
    }
}

impl Socket {
    /// A socket that is bound to nothing and receives nothing.
    pub fn open() -> Result<Socket, String> {
        // SAFETY: takes no pointers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            let error = io::Error::last_os_error();
            return Err(match error.raw_os_error() {
                Some(libc::EPERM | libc::EACCES) => {
                    "live capture needs CAP_NET_RAW: run as root, or give it to the service (AmbientCapabilities=CAP_NET_RAW)"
                        .to_owned()
                }
                _ => format!("cannot open a packet socket: {error}"),
            });
        }
        // SAFETY: the descriptor was just made and nobody else has it.
        Ok(Socket { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    fn set<T>(&self, level: i32, option: i32, value: &T) -> io::Result<()> {
        // SAFETY: the pointer and length are those of `value`, which the kernel only reads.
        let result = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                level,
                option,
                std::ptr::from_ref(value).cast(),
                size_of_val(value) as libc::socklen_t,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    fn set_packet<T>(&self, option: i32, value: &T, what: &str) -> Result<(), String> {
        self.set(libc::SOL_PACKET, option, value).map_err(|error| format!("{what}: {error}"))
    }

    /// Makes the ring of `ring` (TPACKET_V3), to be mapped by the caller.
    pub fn make_ring(&self, ring: &libc::tpacket_req3) -> Result<(), String> {
        let version = libc::tpacket_versions::TPACKET_V3 as libc::c_int;
        self.set_packet(libc::PACKET_VERSION, &version, "TPACKET_V3")?;
        self.set_packet(libc::PACKET_RESERVE, &TAG_BYTES, "PACKET_RESERVE")?;
        let bytes = u64::from(ring.tp_block_size) * u64::from(ring.tp_block_nr);
        self.set(libc::SOL_PACKET, libc::PACKET_RX_RING, ring).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOMEM) => {
                format!("no memory for a ring of {} MiB: lower af-packet.ring-memory", bytes >> 20)
            }
            _ => format!("a ring of {} blocks of {} bytes: {error}", ring.tp_block_nr, ring.tp_block_size),
        })
    }

    /// What the socket receives from now on. Packets that do not pass are not counted.
    pub fn filter(&self, program: &[Instruction]) -> Result<(), String> {
        let mut code: Vec<libc::sock_filter> =
            program.iter().map(|&(code, jt, jf, k)| libc::sock_filter { code, jt, jf, k }).collect();
        let len = u16::try_from(code.len()).map_err(|_| "a filter program is too long".to_owned())?;
        let program = libc::sock_fprog { len, filter: code.as_mut_ptr() };
        // `code` lives until the call returns; the kernel copies it.
        self.set(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::ENOMEM) => format!(
                    "the filter of {len} instructions is too long for this kernel: sysctl -w net.core.optmem_max=131072, or \
                     join networks"
                ),
                _ => format!("the kernel refuses the filter: {error}"),
            })
    }

    /// Nothing is received any more.
    pub fn close_filter(&self) -> Result<(), String> {
        self.filter(&program::NOTHING)
    }

    /// Binds it to the interface; packets that this machine sends are left out.
    pub fn bind(&self, device: &Device) -> Result<(), String> {
        // Kernels before 4.20 do not know it: the ring's reader leaves outgoing packets out too.
        let _ = self.set(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1i32);
        // SAFETY: all bytes zero is a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = device.index;
        // SAFETY: the pointer and length are those of `address`, which the kernel only reads.
        let result = unsafe {
            libc::bind(
                self.fd.as_raw_fd(),
                std::ptr::from_ref(&address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(format!("cannot bind: {}", io::Error::last_os_error()))
        }
    }

    /// The interface takes frames for others too, as long as the socket is open.
    pub fn promiscuous(&self, device: &Device) -> Result<(), String> {
        let request = libc::packet_mreq {
            mr_ifindex: device.index,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        self.set_packet(libc::PACKET_ADD_MEMBERSHIP, &request, "promiscuous mode")
    }

    /// Joins the sockets that share the interface's packets; `group` None makes one with a number of its own, which is returned.
    pub fn join(&self, one: &Interface, group: Option<u16>) -> Result<u16, String> {
        let (kind, flags) = match one.cluster_type {
            Cluster::ClusterPair => (libc::PACKET_FANOUT_CBPF, 0),
            Cluster::ClusterFlow => (libc::PACKET_FANOUT_HASH, libc::PACKET_FANOUT_FLAG_DEFRAG),
            Cluster::ClusterQm => (libc::PACKET_FANOUT_QM, 0),
            Cluster::ClusterCpu => (libc::PACKET_FANOUT_CPU, 0),
        };
        let flags = flags | libc::PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
        let own = if group.is_none() { libc::PACKET_FANOUT_FLAG_UNIQUEID } else { 0 };
        let value: u32 = (kind | flags | own) << 16 | u32::from(group.unwrap_or(0));
        self.set_packet(
            libc::PACKET_FANOUT,
            &value,
            "fanout (is the cluster-id in use by another program?)",
        )?;
        if one.cluster_type == Cluster::ClusterPair {
            let mut code: Vec<libc::sock_filter> = program::spread()
                .into_iter()
                .map(|(code, jt, jf, k)| libc::sock_filter { code, jt, jf, k })
                .collect();
            let program = libc::sock_fprog { len: code.len() as u16, filter: code.as_mut_ptr() };
            self.set_packet(libc::PACKET_FANOUT_DATA, &program, "the fanout program")?;
        }
        let mut answer = 0u32;
        self.get(libc::PACKET_FANOUT, &mut answer).map_err(|error| format!("fanout: {error}"))?;
        Ok(answer as u16)
    }

    fn get<T>(&self, option: i32, value: &mut T) -> io::Result<()> {
        let mut len = size_of::<T>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `len` bytes, those of `value`; every caller's type is made of integers.
        let result = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                option,
                std::ptr::from_mut(value).cast(),
                &mut len,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Since the last call.
    pub fn kernel_counts(&self) -> KernelCounts {
        let mut counts = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
        if self.get(libc::PACKET_STATISTICS, &mut counts).is_err() {
            return KernelCounts::default();
        }
        KernelCounts {
            packets: counts.tp_packets.into(),
            drops: counts.tp_drops.into(),
            freezes: counts.tp_freeze_q_cnt.into(),
        }
    }

    /// What went wrong on the socket since the last call: the interface went down or away.
    pub fn error(&self) -> Option<io::Error> {
        let mut error = 0i32;
        let mut len = size_of::<i32>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `len` bytes, those of `error`.
        unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ERROR,
                std::ptr::from_mut(&mut error).cast(),
                &mut len,
            );
        }
        (error != 0).then(|| io::Error::from_raw_os_error(error))
    }

    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Counts packets without ever looking at one: nobody reads the socket, its queue holds next to nothing, and the kernel counts what
/// it throws away. One byte of a packet at most is kept in the kernel.
pub struct Counter {
    socket: Socket,
    pub total: u64,
}

impl Counter {
    pub fn open(device: &Device) -> Result<Counter, String> {
        let socket = Socket::open()?;
        socket.close_filter()?;
        let _ = socket.set(libc::SOL_SOCKET, libc::SO_RCVBUF, &1i32);
        socket.bind(device)?;
        Ok(Counter { socket, total: 0 })
    }

    pub fn begin(&self, program: &[Instruction]) -> Result<(), String> {
        self.socket.filter(program)
    }

    pub fn stop(&self) -> Result<(), String> {
        self.socket.close_filter()
    }

    pub fn read(&mut self) -> u64 {
        self.total = self.total.saturating_add(self.socket.kernel_counts().packets);
        self.total
    }
}

/// Waits until one of the sockets has something, or so many milliseconds.
pub fn wait(sockets: &mut [libc::pollfd], milliseconds: i32) {
    // SAFETY: pointer and length are those of the slice; the kernel writes only `revents`.
    unsafe { libc::poll(sockets.as_mut_ptr(), sockets.len() as libc::nfds_t, milliseconds) };
}

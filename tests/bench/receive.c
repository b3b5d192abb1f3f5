// Receives frames on an interface in one of three ways, as plainly as each can be done, and tells what that cost:
//
//     receive IFACE packet|xdp-generic|xdp-native PASSES
//
// packet is a TPACKET_V3 ring as the sensor has it; the others are AF_XDP sockets in copy mode. Both get 64 MiB. PASSES is how often
// every byte of a frame is read (0: its first word only). SIGTERM ends it; then it prints frames, bytes, microseconds of user time
// and of system time, and a sum, so that no compiler leaves the reading out.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AF_XDP
#define AF_XDP 44
#endif
#ifndef SOL_XDP
#define SOL_XDP 283
#endif

enum { BLOCK = 1 << 20, BLOCKS = 64, CHUNK = 4096, CHUNKS = (BLOCK / CHUNK) * BLOCKS, AT_ONCE = 64 };

static volatile sig_atomic_t is_over;
static uint64_t frames, bytes, sum;

static void stop(int number) { (void)number; is_over = 1; }

static struct rusage before;

static void ready(void) {
    getrusage(RUSAGE_SELF, &before);
    puts("ready");
    fflush(stdout);
}

static void die(const char *what) { perror(what); exit(1); }

static void look(const uint8_t *frame, uint32_t length, int passes) {
    frames++;
    bytes += length;
    if (length >= 8) { uint64_t word; memcpy(&word, frame, 8); sum += word; }
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t at = 0; at + 8 <= length; at += 8) { uint64_t word; memcpy(&word, frame + at, 8); sum = (sum ^ word) * 0x9e3779b97f4a7c15u; }
}

static void with_packet(int index, int passes) {
    int fd = socket(AF_PACKET, SOCK_RAW, 0), version = TPACKET_V3, on = 1;
    if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version)) die("packet socket");
    struct tpacket_req3 ring = {.tp_block_size = BLOCK, .tp_block_nr = BLOCKS, .tp_frame_size = 2048,
        .tp_frame_nr = BLOCK / 2048 * BLOCKS, .tp_retire_blk_tov = 10};
    if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring)) die("PACKET_RX_RING");
    uint8_t *memory = mmap(0, (size_t)BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (memory == MAP_FAILED) die("mmap");
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
    if (bind(fd, (void *)&address, sizeof address)) die("bind");
    ready();
    for (int at = 0; !is_over; ) {
        struct tpacket_block_desc *block = (void *)(memory + (size_t)at * BLOCK);
        if (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
            struct pollfd one = {.fd = fd, .events = POLLIN};
            poll(&one, 1, 100);
            continue;
        }
        uint8_t *place = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
        for (uint32_t left = block->hdr.bh1.num_pkts; left; left--) {
            struct tpacket3_hdr *header = (void *)place;
            look(place + header->tp_mac, header->tp_snaplen, passes);
            place += header->tp_next_offset;
        }
        __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        at = (at + 1) % BLOCKS;
    }
}

static int bpf(int command, union bpf_attr *what) { return syscall(SYS_bpf, command, what, sizeof *what); }

// Gives every frame to the socket of its queue: return bpf_redirect_map(map, context->rx_queue_index, XDP_PASS).
static int attach(int index, int map, uint32_t mode) {
    struct bpf_insn code[] = {
        {.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1, .off = 16},
        {.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map}, {0},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = XDP_PASS},
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_XDP, .insns = (uintptr_t)code, .insn_cnt = sizeof code / sizeof *code,
        .license = (uintptr_t) "Dual BSD/GPL"};
    int program = bpf(BPF_PROG_LOAD, &load);
    if (program < 0) die("BPF_PROG_LOAD");
    union bpf_attr link;
    memset(&link, 0, sizeof link);
    link.link_create.prog_fd = program;
    link.link_create.target_ifindex = index;
    link.link_create.attach_type = BPF_XDP;
    link.link_create.flags = mode;
    return bpf(BPF_LINK_CREATE, &link);
}

static void *ring_of(int fd, size_t entries, size_t entry, off_t page, uint64_t room) {
    void *memory = mmap(0, room + entries * entry, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, page);
    if (memory == MAP_FAILED) die("mmap of a ring");
    return memory;
}

static void with_xdp(int index, uint32_t mode, int passes) {
    union bpf_attr make = {.map_type = BPF_MAP_TYPE_XSKMAP, .key_size = 4, .value_size = 4, .max_entries = 1};
    int map = bpf(BPF_MAP_CREATE, &make), fd = socket(AF_XDP, SOCK_RAW, 0), size = CHUNKS;
    if (map < 0 || fd < 0) die("AF_XDP");
    uint8_t *memory = mmap(0, (size_t)CHUNK * CHUNKS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    struct xdp_umem_reg umem = {.addr = (uintptr_t)memory, .len = (uint64_t)CHUNK * CHUNKS, .chunk_size = CHUNK};
    if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof umem) || setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &size, sizeof size) ||
        setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &(int){64}, sizeof(int)) || setsockopt(fd, SOL_XDP, XDP_RX_RING, &size, sizeof size))
        die("rings");
    struct xdp_mmap_offsets offsets;
    socklen_t length = sizeof offsets;
    if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length)) die("XDP_MMAP_OFFSETS");
    uint8_t *fill = ring_of(fd, CHUNKS, 8, XDP_UMEM_PGOFF_FILL_RING, offsets.fr.desc);
    uint8_t *full = ring_of(fd, CHUNKS, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING, offsets.rx.desc);
    uint64_t *empty = (uint64_t *)(fill + offsets.fr.desc);
    struct xdp_desc *taken = (struct xdp_desc *)(full + offsets.rx.desc);
    uint32_t *given = (uint32_t *)(fill + offsets.fr.producer), *made = (uint32_t *)(full + offsets.rx.producer),
             *used = (uint32_t *)(full + offsets.rx.consumer);
    for (uint32_t n = 0; n < CHUNKS; n++) empty[n] = (uint64_t)n * CHUNK;
    uint32_t to_give = CHUNKS, at = 0;
    __atomic_store_n(given, to_give, __ATOMIC_RELEASE);
    struct sockaddr_xdp address = {.sxdp_family = AF_XDP, .sxdp_ifindex = index, .sxdp_flags = XDP_COPY};
    if (bind(fd, (void *)&address, sizeof address)) die("bind");
    union bpf_attr entry = {.map_fd = map, .key = (uintptr_t) & (uint32_t){0}, .value = (uintptr_t)&fd};
    if (bpf(BPF_MAP_UPDATE_ELEM, &entry)) die("XSKMAP");
    if (attach(index, map, mode) < 0) die("BPF_LINK_CREATE");
    ready();
    while (!is_over) {
        uint32_t waiting = __atomic_load_n(made, __ATOMIC_ACQUIRE) - at;
        if (!waiting) {
            usleep(10000);  // as long as a block waits; poll would wake it for a handful of frames at a time
            continue;
        }
        if (waiting > AT_ONCE) waiting = AT_ONCE;
        for (uint32_t n = 0; n < waiting; n++, at++) {
            struct xdp_desc *one = &taken[at % CHUNKS];
            look(memory + one->addr, one->len, passes);
            empty[to_give++ % CHUNKS] = one->addr & ~(uint64_t)(CHUNK - 1);
        }
        __atomic_store_n(used, at, __ATOMIC_RELEASE);
        __atomic_store_n(given, to_give, __ATOMIC_RELEASE);
    }
}

static unsigned long since(struct timeval now, struct timeval then) {
    return (now.tv_sec - then.tv_sec) * 1000000ul + now.tv_usec - then.tv_usec;
}

int main(int count, char **words) {
    if (count != 4) { fprintf(stderr, "usage: receive IFACE packet|xdp-generic|xdp-native PASSES\n"); return 2; }
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, 0);
    int index = if_nametoindex(words[1]), passes = atoi(words[3]);
    if (!index) die(words[1]);
    if (!strcmp(words[2], "packet")) with_packet(index, passes);
    else with_xdp(index, strcmp(words[2], "xdp-native") ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE, passes);
    struct rusage cost;
    getrusage(RUSAGE_SELF, &cost);
    printf("%lu %lu %lu %lu %lx\n", frames, bytes, since(cost.ru_utime, before.ru_utime), since(cost.ru_stime, before.ru_stime), sum);
    return 0;
}

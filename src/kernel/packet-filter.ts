// Filters for packet sockets in the kernel's classic BPF (Linux Documentation/networking/filter.rst):
// what of an interface's traffic is worth waking us. Pure.

/** What a packet socket hears: ARP requests and replies, or neighbor solicitations and advertisements. */
export type PacketProtocol = "arp" | "ndp";

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** Octets of a struct sock_filter. */
const INSTRUCTION_LENGTH = 8;

const LOAD_WORD = 0x20;
const LOAD_HALF = 0x28;
const LOAD_OCTET = 0x30;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_GREATER = 0x25;
const RETURN = 0x06;

/** Loads for whom the frame is instead of octets of it (SKF_AD_OFF + SKF_AD_PKTTYPE). */
const PACKET_TYPE = 0xfffff004;
/** The highest packet type that is for this host: unicast 0, broadcast 1, multicast 2. */
const PACKET_MULTICAST = 2;

const WHOLE = 0xffff;

// Offsets in an Ethernet frame.
const ETHERTYPE = 12;
const ARP_OPERATION = 20;
const IPV6_NEXT_HEADER = 20;
const ICMPV6_TYPE = 54;

/**
 * Frames for another host are out: that is also what the kernel calls a frame with the tag of a
 * VLAN that has no interface here, and it comes without its tag. A frame that is cut short ends
 * at the load that misses it.
 */
const PROGRAMS: Readonly<Record<PacketProtocol, readonly Instruction[]>> = {
  arp: [
    [LOAD_WORD, 0, 0, PACKET_TYPE],
    [JUMP_IF_GREATER, 6, 0, PACKET_MULTICAST],
    [LOAD_HALF, 0, 0, ETHERTYPE],
    [JUMP_IF_EQUAL, 0, 4, 0x0806],
    [LOAD_HALF, 0, 0, ARP_OPERATION],
    [JUMP_IF_EQUAL, 1, 0, 1],
    [JUMP_IF_EQUAL, 0, 1, 2],
    [RETURN, 0, 0, WHOLE],
    [RETURN, 0, 0, 0],
  ],
  ndp: [
    [LOAD_WORD, 0, 0, PACKET_TYPE],
    [JUMP_IF_GREATER, 8, 0, PACKET_MULTICAST],
    [LOAD_HALF, 0, 0, ETHERTYPE],
    [JUMP_IF_EQUAL, 0, 6, 0x86dd],
    [LOAD_OCTET, 0, 0, IPV6_NEXT_HEADER],
    [JUMP_IF_EQUAL, 0, 4, 58],
    [LOAD_OCTET, 0, 0, ICMPV6_TYPE],
    [JUMP_IF_EQUAL, 1, 0, 135],
    [JUMP_IF_EQUAL, 0, 1, 136],
    [RETURN, 0, 0, WHOLE],
    [RETURN, 0, 0, 0],
  ],
};

/** The program as an array of struct sock_filter. */
export function packetFilter(protocol: PacketProtocol): {
  readonly bytes: Uint8Array;
  readonly instructions: number;
} {
  const program = PROGRAMS[protocol];
  const view = new DataView(new ArrayBuffer(INSTRUCTION_LENGTH * program.length));
  for (const [index, [code, ifTrue, ifFalse, value]] of program.entries()) {
    const offset = INSTRUCTION_LENGTH * index;
    view.setUint16(offset, code, true);
    view.setUint8(offset + 2, ifTrue);
    view.setUint8(offset + 3, ifFalse);
    view.setUint32(offset + 4, value, true);
  }
  return { bytes: new Uint8Array(view.buffer), instructions: program.length };
}

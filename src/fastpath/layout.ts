/**
 * Where things stand in the linear memory that the TypeScript and the WebAssembly side of the fast
 * path share: byte offsets within blocks. Both languages compile this file, so it holds nothing but
 * lines `export const NAME = NUMBER;`.
 *
 * Addresses in linear memory are 32 bits, DMA addresses 64; bytes and times are doubles, as everywhere.
 */

/** Of the module's exports and of what they expect to find in memory: both sides were built together. */
export const layoutVersion = 1;

// The control block: what a run is about.

/** The flow table of IPv4: its words, the shift of its hash, and the six secrets of the hash. */
export const CONTROL_FLOWS = 0;
export const CONTROL_FLOW_SHIFT = 4;
export const CONTROL_FLOW_SEEDS = 8;
/** Flows that were decided at another epoch are not known. */
export const CONTROL_EPOCH = 32;
/** Tracked connections, as `Tracker` keeps them, and what began at each interface, by slot. */
export const CONTROL_TRACKER = 36;
export const CONTROL_MARKS = 40;
/** 1: frames go by flows; 0: by the MAC that owns their destination. */
export const CONTROL_ROUTES = 44;
/** Addresses of receiver blocks: by the interface's slot where frames are routed, else by port. */
export const CONTROL_RECEIVERS = 48;
/** Known owners of MACs, and the epoch in which they were. */
export const CONTROL_OWNERS = 52;
export const CONTROL_OWNER_EPOCH = 56;
/** Room for a frame's head. */
export const CONTROL_HEAD = 60;
/** Said by a run: why it ended, and for which receiver or MAC. */
export const CONTROL_STOP = 64;
export const CONTROL_KEY = 68;
export const CONTROL_MAC_LO = 72;
export const CONTROL_RING = 76;
/** Of no use to anybody: what was fetched in advance has to go somewhere. */
export const CONTROL_SEEN = 80;
/** Senders that other threads serve, by port. */
export const CONTROL_SENDERS = 84;
/** Room for notes of a packet that is cut up. */
export const CONTROL_LARGE = 88;
export const CONTROL_BYTES = 128;

/**
 * Why a run ended: everything was sent; the next frame is not plain; a receiver, a ring of it, the
 * owner of a MAC, or another thread's sender is asked for.
 */
export const STOP_DONE = 0;
export const STOP_OTHER = 1;
export const STOP_RECEIVER = 2;
export const STOP_RING = 3;
export const STOP_OWNER = 4;
export const STOP_SENDER = 5;
/** Within the module only: what comes is a plain packet behind a meta descriptor. */
export const STOP_META = 6;

/** Receivers that there can be. */
export const RECEIVERS = 4096;
/** In the place of a receiver's or a ring's address: nobody has asked it yet; it takes no part. */
export const UNKNOWN = 0;
export const APART = 1;

/** A MAC's owner: its halves, the port, the epoch. */
export const OWNERS = 256;
export const OWNER_BYTES = 16;

/** Another thread's sender: 1 if it is known, its MAC, its interface's slot. */
export const REMOTE_KNOWN = 0;
export const REMOTE_MAC_HI = 4;
export const REMOTE_MAC_LO = 8;
export const REMOTE_SLOT = 12;
export const REMOTE_BYTES = 16;

// A ring of descriptors with the ring of its completions: of a sender, or one of a receiver's.

export const RING_DESCRIPTORS = 0;
export const RING_DEPTH = 4;
export const RING_HEAD = 8;
export const RING_TAIL = 12;
export const RING_COMPLETIONS = 16;
export const RING_COMPLETION_DEPTH = 20;
/** log2 of an entry's bytes. */
export const RING_COMPLETION_LOG = 24;
/** Entries that were written, in all; those of this loan; those that are not published yet. */
export const RING_WRITTEN = 28;
export const RING_PUSHED = 32;
export const RING_GROUP = 36;
export const RING_GROUP_WORD = 40;
export const RING_INDEX = 44;
/** Said by a run: frames and bytes that went by this ring. */
export const RING_FRAMES = 48;
/** Entries have room for a time stamp behind so many words; 0: they have none. */
export const RING_STAMP = 52;
export const RING_BYTES_MOVED = 56;
export const RING_BYTES = 64;

// A port, as sender or receiver: what is common to both.

/** The guest's memory: its windows, and the one that was used last. */
export const PORT_WINDOWS = 0;
export const PORT_WINDOW_COUNT = 4;
export const PORT_LAST_WINDOW = 8;
/** The longest frame that goes this way. */
export const PORT_MAX_BYTES = 12;
/** What its allowance has left for this burst. */
export const PORT_BYTES_LEFT = 16;
export const PORT_PACKETS_LEFT = 24;
/** Said by a run. */
export const PORT_FRAMES = 32;
export const PORT_BYTES_MOVED = 40;

// What only a sender has.

export const SENDER_RING = 48;
export const SENDER_MAC_HI = 52;
export const SENDER_MAC_LO = 56;
/** Its interface's slot, and the address that it has to send from where that is checked, or 0. */
export const SENDER_SLOT = 60;
export const SENDER_ADDRESS = 64;
/** 1: a completion for every frame, asked for or not. */
export const SENDER_COMPLETES_ALL = 68;
export const SENDER_KEY = 72;
/** The number of its port. */
export const SENDER_PORT = 76;
/** Descriptors of a packet. */
export const SENDER_MAX_PIECES = 80;
/** What its last meta descriptor said: bytes of a segment's payload, and of its headers from L3 on. */
export const SENDER_MSS = 84;
export const SENDER_L3L4_BYTES = 88;
/** As `SENDER_MAX_PIECES`, of a packet that is cut up. */
export const SENDER_MAX_DESCS = 92;

// What only a receiver has.

/** The first 12 bytes of a frame that comes by the router, as words in network order. */
export const RECEIVER_MACS = 48;
/** The hash: its tables of contributions, and what packets are hashed by (`rssInput`). */
export const RECEIVER_HASH = 60;
export const RECEIVER_INPUTS = 64;
/** Halfwords, by hash: the ring that a frame goes to; 0: there are none. And how many, less one. */
export const RECEIVER_INDIRECTION = 68;
export const RECEIVER_INDIRECTION_MASK = 72;
/** The ring of all frames where there is no table. */
export const RECEIVER_FIRST = 76;
/** Addresses of rings by their number. */
export const RECEIVER_RINGS = 80;
export const MAX_RINGS = 64;
/** The trunk to whoever serves it, or 0; and the number of its port. */
export const RECEIVER_TRUNK = 336;
export const RECEIVER_PORT = 340;
/** Buffers of a frame. 1: segments may come together that are for this address. */
export const RECEIVER_MAX_BUFFERS = 344;
export const RECEIVER_JOINS = 348;
export const RECEIVER_ADDRESS = 352;
export const PORT_BYTES = 384;

// One direction of a trunk, as its writer or its reader has it: places count units of 16 bytes.

export const TRUNK_RECORDS = 0;
/** In units, a power of two. */
export const TRUNK_SIZE = 4;
export const TRUNK_HEAD = 8;
export const TRUNK_TAIL = 12;
export const TRUNK_BYTES = 64;

/** A window of guest memory: first DMA address, end, where it begins in linear memory, how it may be used. */
export const WINDOW_IOVA = 0;
export const WINDOW_END = 8;
export const WINDOW_LINEAR = 16;
export const WINDOW_USE = 20;
export const WINDOW_BYTES = 24;
export const MAX_WINDOWS = 64;
export const USE_READ = 1;
export const USE_WRITE = 2;

// What other rooms own, and tests compare with them: records of trunks, flows and connections, descriptors.

/** A record: length and head's length; facts; receiver's and sender's port; kind; then the frame. */
export const RECORD_LENGTHS = 0;
export const RECORD_FACTS = 4;
export const RECORD_ENDS = 8;
export const RECORD_KIND = 12;
export const RECORD_FRAME = 16;
export const RECORD_LENGTH_BITS = 20;
/** In place of lengths: the next record is at the start. */
export const RECORD_RESTART = 0xffff_ffff;
export const RECORD_UNIT_LOG = 4;
/** In the facts: the payload of a segment, where the frame is to be cut up. */
export const RECORD_MSS_LSB = 16;
/** The kind of a frame from a port to a port. */
export const RECORD_TO_PORT = 0;
/** Sums that are known to be right, or wrong; further facts are for frames that are not plain. */
export const FACT_L3_RIGHT = 1;
export const FACT_L3_WRONG = 2;
export const FACT_L4_RIGHT = 4;
export const FACT_L4_WRONG = 8;

export const FLOW_SOURCE = 0;
export const FLOW_DESTINATION = 4;
export const FLOW_PORTS = 8;
export const FLOW_DST_MAC_LO = 12;
export const FLOW_DST_MAC_HI = 16;
export const FLOW_FROM = 20;
export const FLOW_EPOCH = 24;
export const FLOW_REASON = 28;
export const FLOW_PLACE = 32;
export const FLOW_TO = 36;
export const FLOW_SLOT_A = 40;
export const FLOW_MARK_A = 44;
export const FLOW_SLOT_B = 48;
export const FLOW_MARK_B = 52;
export const FLOW_RECORD_BYTES = 64;
export const FLOW_WAYS = 4;
export const FLOW_SECOND = 0x9e37_79b1;
/** Values of `FLOW_PLACE`: at the receiver; and by the router. */
export const PLACE_RECEIVER = 1;
export const PLACE_ROUTED = 4;
export const REASON_DELIVERED = 0;
/** In the place of a connection's slot: that side was not asked. */
export const SIDE_NOT_ASKED = -2;

export const CONNECTION_END = 0;
export const CONNECTION_IDLE = 8;
export const CONNECTION_GENERATION = 16;
export const CONNECTION_STATE = 20;
export const CONNECTION_BYTES = 32;
export const CONNECTION_SETTLED = 1;
export const CONNECTION_LAST_OUTWARD = 4;

export const DESCRIPTOR_LOG = 4;
export const DESC_PHASE_LSB = 24;
/** In word 0 of a transmit descriptor: what tells a plain one, and its place in a packet. */
export const TX_SHAPE = 0x0fc0_0000;
export const TX_FIRST = 0x0400_0000;
export const TX_LAST = 0x0800_0000;
export const TX_REQ_ID_HI_LSB = 16;
export const TX_COMP_REQ = 0x1000_0000;
/** A meta descriptor, and one that says something; what, in words 0 and 2. */
export const TX_META = 0x80_0000;
export const META_VALID = 0x4000;
export const META_MSS_HI_LSB = 16;
export const META_MSS_HI_MASK = 0xf;
export const META_MSS_LO_LSB = 22;
export const META_MSS_LO_BITS = 10;
export const META_L3_MASK = 0xff;
export const META_L4_LSB = 16;
export const META_L4_MASK = 0x3f;
/** In word 1. */
export const TX_TSO = 0x80;
export const TX_L3_CSUM = 0x2000;
export const TX_L4_CSUM = 0x4000;
export const TX_L4_PARTIAL = 0x2_0000;
export const TX_REQ_ID_LO_LSB = 22;
/** In word 0 of a receive completion. */
export const RX_BUFFER = 0x4000_0000;
export const RX_FIRST = 0x0400_0000;
export const RX_LAST = 0x0800_0000;
export const RX_L3_ERROR = 0x2000;
export const RX_L4_ERROR = 0x4000;
export const RX_L4_CHECKED = 0x1_0000;
export const RX_IPV4 = 8;
export const RX_TCP = 0xc00;
export const RX_UDP = 0xd00;
/** What hashes are made of (`rssInput`). */
export const INPUT_IPV4 = 1;
export const INPUT_TCP4 = 2;
export const INPUT_UDP4 = 4;
/** Frames whose first bytes are fetched together; a power of two. */
export const TOUCHED = 16;
/** Completions that are published together at most. */
export const GROUP_ENTRIES = 32;
/** A frame's first bytes, which registers hold: they are read once, and judged. */
export const FRONT_BYTES = 64;
/** As much of a record's frame as the ordinary path takes for its head: every header fits. */
export const HEAD_BYTES = 128;
/** Buffers that one frame may come in, or take, this way. */
export const MAX_BUFFERS = 8;
export const BUFFER_AT = 0;
export const BUFFER_LENGTH = 4;
export const BUFFER_ID = 8;
export const BUFFER_BYTES = 16;
/** In the first note of a packet's own buffers: its length, and what its words 0 ask for together. */
export const PACKET_LENGTH = 8;
export const PACKET_WANTS = 12;
/** Behind the head: where the frame's own buffers are noted, then those that it is copied into. */
export const NOTES_FROM = 256;
export const NOTES_TO = 384;
/** Then the hashes, and the records, of the flows that the next frames are probably of; and those frames. */
export const NOTES_FLOWS = 512;
export const NOTES_PLACES = 576;
export const HEAD_ROOM_BYTES = 640;

// A packet that is cut up.

/** The longest, as its sender has it; and the least payload of a segment. */
export const LARGE_BYTES = 65_792;
export const LEAST_MSS = 48;
/** What a device adds to its MTU: an Ethernet header and a tag. */
export const L2_BYTES = 18;
/** Its own buffers, and those that all of its segments go to; no more are noted. */
export const LARGE_PIECES = 24;
export const LARGE_BUFFERS = 256;
/** Where they are noted. */
export const LARGE_FROM = 0;
export const LARGE_TO = 384;
export const LARGE_ROOM_BYTES = 4480;
/** In the note of the first buffer of a frame that comes of it: bytes of payload. */
export const BUFFER_PAYLOAD = 12;

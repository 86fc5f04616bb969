/** The rules that an 82599 virtual function, and its parent, hold a driver to; with sources. */
import { rules } from '../../lib/diagnostics.ts';

const registers = '82599 datasheet 2.76, section 8.3.5';
const transmit = '82599 datasheet 2.76, section 7.2';
const receive = '82599 datasheet 2.76, section 7.1';
const parent = 'ixgbe_sriov.c of Linux';

export const ixgbevfRules = rules('82599vf', {
  'bad-register': ['the register map has nothing at this offset', registers],
  'register-access-size': ['registers are accessed by aligned 32-bit words', registers],
  'queue-beyond': ['only queues that the parent gave the function are switched on', registers],
  'ring-length': ['a ring has at least 8 descriptors, and whole groups of 8', registers],
  'ring-memory': ['a ring lies in guest memory, as long as its queue is on', registers],
  'ring-tail': ['a tail lies within its ring', registers],
  'tx-type': ['a descriptor is legacy, or advanced of type 2 (context) or 3 (data)', transmit],
  'tx-context-inside': ['a context descriptor stands before a packet, not inside it', transmit],
  'tx-mixed-types': ['all descriptors of a packet are of one type', transmit],
  'tx-too-many-descs': ['a packet has at most 40 descriptors', transmit],
  'tx-bad-address': ['a transmit buffer lies in guest memory', transmit],
  'tx-too-long': ['a packet has at most 64 KiB, with its headers', transmit],
  'tx-paylen': ["PAYLEN is the packet's bytes; with TSE, those of its TCP payload", transmit],
  'tx-context-mismatch': ['the context describes the headers that the packet has', transmit],
  'tx-checksum-place': ['the checksum to insert stands within the first 256 bytes', transmit],
  'tx-ipsec': ['the parent has not set up IPsec for this function', parent],
  'tx-head-memory': ['the head is written to a word of guest memory', transmit],
  'tx-vlan-spoof': ['a function sends only in VLANs that it is a member of', parent],
  'rx-desc-type': ['SRRCTL.DESCTYPE is 0, 1, 2 or 5', receive],
  'rx-buffer-size': ['SRRCTL.BSIZEPACKET is 1 to 16 KiB, BSIZEHEADER 64 to 1024 bytes', receive],
  'rx-bad-address': ['a receive buffer lies in guest memory that may be written', receive],
  'mailbox-before-reset': ['a function sends VF_RESET before any other message', parent],
  'mailbox-unknown': ['a message is one that the parent knows', parent],
  'mailbox-api': ['a message belongs to the API version that was agreed on', parent],
  'mailbox-api-version': ['the API version is one that the parent speaks', parent],
  'mailbox-mac': ['an address is a unicast one, and not zero', parent],
  'mailbox-mac-set': ['an untrusted function keeps the address that its parent has set', parent],
  'mailbox-mac-taken': ['an address belongs to one function', parent],
  'mailbox-macvlan-full': ["there is room in the parent's table of addresses", parent],
  'mailbox-vlan-set': ['a function keeps the VLAN that its parent has set', parent],
  'mailbox-vlan-full': ["there is room in the parent's table of VLANs", parent],
  'mailbox-frame-size': [
    'frames have 68 to 9728 bytes, more than 1518 only on a jumbo parent',
    parent,
  ],
  'mailbox-xcast': ['promiscuous mode is not for functions of an 82599', parent],
  'mailbox-rss-query': ['the parent shows its RSS table and key only if told to', parent],
  'mailbox-ipsec': ['the parent has no IPsec to offer', parent],
  'mailbox-link-query': ['only an E610 tells its link by message', parent],
});

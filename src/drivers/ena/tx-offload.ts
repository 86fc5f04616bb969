/**
 * What a driver asks the device to do to the frames it sends: checksums and segmentation. Made
 * once per kind of frame and used for many, since on the packet path only its ready-made words
 * are looked at. Follows `struct ena_com_tx_ctx` and `ena_com_create_meta`.
 */
import { L3_PROTO, L4_PROTO, txDesc, txMetaDesc } from '../../defs/ena-io.ts';

export type TxOffloadSpec = {
  readonly l3: keyof typeof L3_PROTO;
  readonly l4: keyof typeof L4_PROTO;
  /** Compute the IPv4 header checksum. */
  readonly l3Csum?: boolean;
  /** Compute the TCP or UDP checksum; `partial`: its field holds the pseudo header's sum. */
  readonly l4Csum?: 'none' | 'full' | 'partial';
  /** TCP payload bytes per segment; absent: do not segment. */
  readonly mss?: number;
  /** The IPv4 header's DF bit. */
  readonly dontFragment?: boolean;
  /** Bytes before the L3 header; 14 without tags. */
  readonly l3Offset?: number;
  /** Bytes: 20 or more for IPv4, 40 for IPv6. */
  readonly l3Length: number;
  /** Bytes, a multiple of 4. */
  readonly l4Length: number;
};

/** For devices that want a meta descriptor with every packet. */
const nothing: TxOffloadSpec = {
  l3: 'unknown',
  l4: 'unknown',
  l3Offset: 0,
  l3Length: 0,
  l4Length: 0,
};

export class TxOffload {
  /** Word 1 of the first descriptor, without the request id. */
  readonly control: number;
  /** Words 0 and 2 of the meta descriptor, without phase and `first`. */
  readonly meta0: number;
  readonly meta2: number;
  readonly needsMeta: boolean;

  /** `null`: nothing is asked for. */
  constructor(spec: TxOffloadSpec | null) {
    const words = new Int32Array(4);
    this.needsMeta = spec !== null;
    if (spec !== null) control(spec).store(words, 0);
    this.control = words[1] as number;
    meta(spec ?? nothing).store(words, 0);
    this.meta0 = words[0] as number;
    this.meta2 = words[2] as number;
  }
}

export const noOffload = new TxOffload(null);

function control(spec: TxOffloadSpec) {
  const desc = txDesc.create();
  desc.l3_proto_idx = L3_PROTO[spec.l3];
  desc.l4_proto_idx = L4_PROTO[spec.l4];
  desc.l3_csum_en = spec.l3Csum === true ? 1 : 0;
  desc.l4_csum_en = spec.l4Csum === 'full' || spec.l4Csum === 'partial' ? 1 : 0;
  desc.l4_csum_partial = spec.l4Csum === 'partial' ? 1 : 0;
  desc.tso_en = spec.mss === undefined ? 0 : 1;
  desc.DF = spec.dontFragment === true ? 1 : 0;
  return desc;
}

function meta(spec: TxOffloadSpec) {
  const desc = txMetaDesc.create();
  const mss = spec.mss ?? 0;
  desc.meta_desc = 1;
  desc.ext_valid = 1;
  desc.eth_meta_type = 1;
  desc.meta_store = 1;
  desc.mss_lo = mss;
  desc.mss_hi = mss >>> 10;
  desc.l3_hdr_len = spec.l3Length;
  desc.l3_hdr_off = spec.l3Offset ?? 14;
  desc.l4_hdr_len_in_words = spec.l4Length >>> 2;
  return desc;
}

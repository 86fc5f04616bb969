import assert from 'node:assert/strict';
import { test } from 'node:test';
import { L3_PROTO, L4_PROTO, rxCdesc, rxDesc, txDesc, txMetaDesc } from '../defs/ena-io.ts';
import { l2Bytes } from '../devices/ena/tx-queue.ts';
import { Frame, maxFrameBytes } from '../net/frame.ts';
import { R } from '../net/reasons.ts';
import { minMss } from '../net/segmentation.ts';
import { rssInput } from '../net/toeplitz.ts';
import { RingWriter, ringHeadBytes } from '../switch/trunk/frame-ring.ts';
import { crossing } from '../switch/trunk/trunk.ts';
import { place, side } from '../switch/vpc/decision.ts';
import { field, routedFlag, secondFactor, ways } from '../switch/vpc/flow-table.ts';
import { bit, hot } from '../switch/vpc/tracker.ts';
import * as layout from './layout.ts';

/** The bits of a field in its word. */
const maskOf = ({ lsb, msb }: { readonly lsb: number; readonly msb: number }): number =>
  (2 ** (msb - lsb + 1) - 1) * 2 ** lsb;

test('records of flows and connections lie as the switch has them', () => {
  const flow = [
    [field.source, layout.FLOW_SOURCE],
    [field.destination, layout.FLOW_DESTINATION],
    [field.ports, layout.FLOW_PORTS],
    [field.dstMacLo, layout.FLOW_DST_MAC_LO],
    [field.dstMacHi, layout.FLOW_DST_MAC_HI],
    [field.from, layout.FLOW_FROM],
    [field.epoch, layout.FLOW_EPOCH],
    [field.reason, layout.FLOW_REASON],
    [field.place, layout.FLOW_PLACE],
    [field.to, layout.FLOW_TO],
    [field.slotA, layout.FLOW_SLOT_A],
    [field.markA, layout.FLOW_MARK_A],
    [field.slotB, layout.FLOW_SLOT_B],
    [field.markB, layout.FLOW_MARK_B],
    [hot.idleEnd, layout.CONNECTION_END],
    [hot.idleLength, layout.CONNECTION_IDLE],
    [hot.generation, layout.CONNECTION_GENERATION],
    [hot.state, layout.CONNECTION_STATE],
    [hot.words, layout.CONNECTION_BYTES],
  ];
  for (const [words, bytes] of flow) assert.equal(bytes, 4 * (words as number));
  assert.deepEqual(
    [
      layout.FLOW_WAYS,
      layout.FLOW_SECOND,
      layout.PLACE_RECEIVER,
      layout.PLACE_ROUTED,
      layout.REASON_DELIVERED,
    ],
    [ways, secondFactor, place.receiver, routedFlag, R.delivered],
  );
  assert.deepEqual(
    [layout.CONNECTION_SETTLED, layout.CONNECTION_LAST_OUTWARD, layout.SIDE_NOT_ASKED],
    [bit.settled, bit.lastOutward, side.notAsked],
  );
});

test('descriptors and completions are those of the card', () => {
  const tx = txDesc.fields;
  const rx = rxCdesc.fields;
  const shape = [tx.reserved22, tx.meta_desc, tx.phase, tx.reserved1, tx.first, tx.last];
  assert.equal(
    layout.TX_SHAPE,
    shape.map(maskOf).reduce((sum, mask) => sum + mask),
  );
  assert.deepEqual([layout.TX_FIRST, layout.TX_LAST], [tx.first, tx.last].map(maskOf));
  assert.deepEqual(
    [layout.TX_COMP_REQ, layout.TX_TSO, layout.TX_L3_CSUM, layout.TX_L4_CSUM, layout.TX_L4_PARTIAL],
    [tx.comp_req, tx.tso_en, tx.l3_csum_en, tx.l4_csum_en, tx.l4_csum_partial].map(maskOf),
  );
  assert.deepEqual(
    [layout.TX_REQ_ID_HI_LSB, layout.TX_REQ_ID_LO_LSB],
    [tx.req_id_hi.lsb, tx.req_id_lo.lsb],
  );
  for (const { phase } of [tx, rxDesc.fields, rx]) assert.equal(layout.DESC_PHASE_LSB, phase.lsb);
  assert.deepEqual(
    [layout.RX_BUFFER, layout.RX_FIRST, layout.RX_LAST],
    [rx.buffer, rx.first, rx.last].map(maskOf),
  );
  assert.deepEqual(
    [layout.RX_L3_ERROR, layout.RX_L4_ERROR, layout.RX_L4_CHECKED],
    [rx.l3_csum_err, rx.l4_csum_err, rx.l4_csum_checked].map(maskOf),
  );
  assert.deepEqual(
    [layout.RX_IPV4, layout.RX_TCP, layout.RX_UDP],
    [L3_PROTO.ipv4, L4_PROTO.tcp << rx.l4_proto_idx.lsb, L4_PROTO.udp << rx.l4_proto_idx.lsb],
  );
  assert.equal(1 << layout.DESCRIPTOR_LOG, txDesc.sizeBytes);
  assert.equal(1 << layout.DESCRIPTOR_LOG, rxDesc.sizeBytes);
  assert.deepEqual(
    [layout.INPUT_IPV4, layout.INPUT_TCP4, layout.INPUT_UDP4],
    [rssInput.ipv4, rssInput.tcp4, rssInput.udp4],
  );
});

test('what is cut up is what the card and the switch would cut up', () => {
  const { meta_desc, ext_valid, mss_hi, mss_lo, l3_hdr_len, l4_hdr_len_in_words } =
    txMetaDesc.fields;
  assert.deepEqual([layout.TX_META, layout.META_VALID], [meta_desc, ext_valid].map(maskOf));
  assert.deepEqual(
    [layout.META_MSS_HI_LSB, layout.META_MSS_LO_LSB, layout.META_L4_LSB, 0],
    [mss_hi, mss_lo, l4_hdr_len_in_words, l3_hdr_len].map(({ lsb }) => lsb),
  );
  assert.equal(layout.META_MSS_LO_BITS, mss_lo.msb - mss_lo.lsb + 1);
  assert.deepEqual(
    [layout.META_MSS_HI_MASK, layout.META_L3_MASK, layout.META_L4_MASK],
    [mss_hi, l3_hdr_len, l4_hdr_len_in_words].map((field) => maskOf(field) / 2 ** field.lsb),
  );
  assert.deepEqual(
    [layout.LARGE_BYTES, layout.LEAST_MSS, layout.L2_BYTES],
    [maxFrameBytes, minMss, l2Bytes],
  );
  const { BUFFER_BYTES, LARGE_FROM, LARGE_PIECES, LARGE_TO, LARGE_BUFFERS } = layout;
  assert.equal(LARGE_FROM + LARGE_PIECES * BUFFER_BYTES, LARGE_TO);
  assert.equal(LARGE_TO + LARGE_BUFFERS * BUFFER_BYTES, layout.LARGE_ROOM_BYTES);
});

test('records of a trunk lie as the switch writes them', () => {
  const bytes = new Uint8Array(ringHeadBytes + 2 ** 18);
  const writer = new RingWriter(bytes);
  const frame = new Frame();
  frame.load(
    Uint8Array.from({ length: 301 }, (_, i) => i),
    0,
    301,
  );
  frame.ipv4Sum = 1;
  frame.l4Sum = 2;
  frame.mss = 1448;
  const word = (at: number): number =>
    new DataView(bytes.buffer).getUint32(ringHeadBytes + at, true);
  writer.push(crossing.toPort, 7, 9, frame);
  assert.equal(word(layout.RECORD_LENGTHS), 301 + 256 * 2 ** layout.RECORD_LENGTH_BITS);
  assert.equal(
    word(layout.RECORD_FACTS),
    layout.FACT_L3_RIGHT + layout.FACT_L4_WRONG + 1448 * 2 ** layout.RECORD_MSS_LSB,
  );
  assert.equal(word(layout.RECORD_ENDS), 7 + 9 * 65_536);
  assert.deepEqual([word(layout.RECORD_KIND), crossing.toPort], [layout.RECORD_TO_PORT, 0]);
  assert.deepEqual(
    [...bytes.subarray(ringHeadBytes + layout.RECORD_FRAME).subarray(0, 4)],
    [0, 1, 2, 3],
  );
  const second = 2 ** layout.RECORD_UNIT_LOG * Math.ceil((layout.RECORD_FRAME + 301) / 16);
  writer.push(crossing.toAll, 0, 0, frame);
  assert.equal(word(second + layout.RECORD_KIND), crossing.toAll);
});

test('a record that does not fit until the end of its ring leaves word, and begins again', () => {
  const size = 2 ** 18;
  const bytes = new Uint8Array(ringHeadBytes + size);
  const words = new Int32Array(bytes.buffer);
  const last = size / 16 - 1;
  words[0] = words[32] = last; // both are at the last unit
  const writer = new RingWriter(bytes);
  words[0] = last - 1; // the reader has not read everything: then a writer starts over in any case
  const frame = new Frame();
  frame.load(new Uint8Array(100), 0, 100);
  assert.ok(writer.push(crossing.toPort, 0, 0, frame));
  const word = (at: number): number => (words[(ringHeadBytes + at) / 4] as number) >>> 0;
  assert.equal(word(16 * last + layout.RECORD_LENGTHS), layout.RECORD_RESTART);
  assert.equal(word(layout.RECORD_LENGTHS) % 2 ** layout.RECORD_LENGTH_BITS, 100);
});

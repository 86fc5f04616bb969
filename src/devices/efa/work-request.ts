/** A request of a send queue on its way: an SRD message, and where its bytes are. */
import { INLINE_MAX_BYTES } from '../../defs/efa-io.ts';
import { SrdMessage } from '../../srd/message.ts';
import type { QueuePair } from './queue-pair.ts';

export class WorkRequest extends SrdMessage {
  readonly qp: QueuePair;
  requestId = 0;
  wantsCompletion = false;
  /** Its address handle, and the peer's MAC. */
  ah = 0;
  mac = 0;
  /** Inline bytes, or one or two buffers. */
  isInline = false;
  readonly inline = new Uint8Array(INLINE_MAX_BYTES);
  buffers = 0;
  readonly lkeys = new Uint32Array(2);
  readonly addresses = new Float64Array(2);
  readonly lengths = new Uint32Array(2);

  constructor(qp: QueuePair) {
    super();
    this.qp = qp;
  }
}

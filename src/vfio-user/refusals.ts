/**
 * What a client can do wrong, by name. Most of it is answered by an errno in the reply; the three
 * that end the connection say so.
 */
import { rules } from '../lib/diagnostics.ts';

const spec = 'vfio-user specification, QEMU docs/interop/vfio-user.rst';

export const refusals = rules('vfio-user', {
  framing: ['a message is at least its header and at most the negotiated size; disconnected', spec],
  version: ['the first message must be a VERSION that this server can serve; disconnected', spec],
  unanswered: ['a client must answer DMA_READ and DMA_WRITE and read replies; disconnected', spec],
  request: ['a request must be well-formed and name what the function has', spec],
  reply: ['a reply must belong to a command of the server', spec],
  busy: ['a function serves one client at a time', 'virtfn: one socket is one function'],
  descriptors: [
    'the descriptors of a message must all reach this process',
    'recvmsg(2), MSG_CTRUNC',
  ],
});

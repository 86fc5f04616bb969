/**
 * How a message ended, and what a responder answers. The numbers go over the wire; they are those
 * of EFA's completion statuses (`efa_io_comp_status`), which were made for SRD.
 */
export const SRD = {
  ok: 0,
  flushed: 1,
  unsupported: 3,
  invalidKey: 5,
  badLength: 6,
  remoteBadAddress: 7,
  remoteAbort: 8,
  remoteBadQp: 9,
  remoteNotReady: 10,
  remoteBadLength: 11,
  remoteBadStatus: 12,
  unresponsive: 13,
  remoteUnknownPeer: 14,
  unreachable: 15,
  remoteFeature: 18,
} as const;

/** No answer: the packet is as good as lost. */
export const silent = -1;

/** Retries of a receiver that is not ready that never end, as in InfiniBand. */
export const forEver = 7;

/**
 * The VERSION handshake: which version, and what each side can take.
 */
import { maxDmaMaps, pageBytes } from './dma.ts';
import * as p from './protocol.ts';

/** What the client has said of itself, or the specification's defaults. */
export type ClientLimits = {
  /** Descriptors per message that it takes. */
  readonly maxMessageFds: number;
  /** Data per DMA_READ or DMA_WRITE that it takes. */
  readonly maxDataBytes: number;
  /** What it proposed: the reply names only these. */
  readonly proposed: ReadonlySet<string>;
};

const defaults: ClientLimits = {
  maxMessageFds: 1,
  maxDataBytes: 2 ** 20,
  proposed: new Set(['max_msg_fds', 'max_data_xfer_size']),
};

/** Reads the JSON text behind a VERSION, NUL included; null when it is not what it should be. */
export function parseCapabilities(text: Uint8Array): ClientLimits | null {
  if (text.length === 0) return defaults;
  if (text[text.length - 1] !== 0) return null;
  const top = parseJson(text.subarray(0, -1));
  if (!isObject(top)) return null;
  const { capabilities = {} } = top as { capabilities?: unknown };
  if (!isObject(capabilities)) return null;
  const all = capabilities as Record<string, unknown>;
  const maxMessageFds = all['max_msg_fds'] ?? defaults.maxMessageFds;
  const maxDataBytes = all['max_data_xfer_size'] ?? defaults.maxDataBytes;
  if (!isCount(maxMessageFds, 0) || !isCount(maxDataBytes, 1)) return null;
  return { maxMessageFds, maxDataBytes, proposed: new Set(Object.keys(all)) };
}

/**
 * Our own capabilities as JSON with its NUL. Migration and twin sockets are not offered; the
 * client hears only of what it has proposed itself.
 *
 * `writeMultiple` is off unless asked for: QEMU 10.1 and 10.2 then send every message by way of
 * another thread (one flag of theirs overlaps another), which costs more than it saves.
 */
export function serverCapabilities(client: ClientLimits, writeMultiple: boolean): Uint8Array {
  const capabilities: Record<string, number | boolean> = {
    max_msg_fds: p.maxMessageFds,
    max_data_xfer_size: p.maxDataBytes,
    ...(client.proposed.has('max_dma_maps') && { max_dma_maps: maxDmaMaps }),
    ...(client.proposed.has('pgsizes') && { pgsizes: pageBytes }),
    ...(client.proposed.has('write_multiple') && writeMultiple && { write_multiple: true }),
  };
  return new TextEncoder().encode(`${JSON.stringify({ capabilities })}\0`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
}

const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCount = (value: unknown, least: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least;

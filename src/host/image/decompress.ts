/** Decompresses what an image holds, never further than asked: a few bytes may stand for terabytes. */
import { createGunzip } from 'node:zlib';
import { type Compression, compressionOf } from './disk-format.ts';
import { decompression } from './raw-disk.ts';
import type { ImageTools } from './tools.ts';
import { TreeError } from './tree.ts';

const TIMEOUT_MS = 60_000;

/** What it begins with decides; what is not compressed is returned as it is. @throws TreeError */
export async function decompress(
  tools: ImageTools,
  content: Buffer,
  path: string,
  maxBytes: number,
): Promise<Buffer> {
  const by = compressionOf(content);
  if (by === undefined) return content;
  const parts: Buffer[] = [];
  const onData = (data: Buffer): boolean => parts.push(data) > 0;
  const { problem } = await decompressInto(tools, content, by, maxBytes, onData);
  if (problem !== null) throw new TreeError(`${path} does not decompress: ${problem}`);
  return Buffer.concat(parts);
}

export interface Decompressed {
  problem: string | null;
  /** Bytes that were taken, where something of another kind stands behind them; gzip only can tell. */
  used: number;
}

/** Gives the decompressed content to `onData` until that says false, which is an end as good as any. */
export async function decompressInto(
  tools: ImageTools,
  content: Buffer,
  by: Compression,
  maxBytes: number,
  onData: (data: Buffer) => boolean,
): Promise<Decompressed> {
  if (by === 'gzip') return gunzipInto(content, maxBytes, onData);
  const run = { timeoutMs: TIMEOUT_MS, maxBytes, input: content, onData };
  const { how, code, complaint } = await tools.run(...decompression(by), run);
  const used = content.length;
  if (how === 'tooMuch') return { problem: tooMuch(maxBytes), used };
  if (how === 'tooSlow') return { problem: `it takes longer than ${TIMEOUT_MS / 1000} s`, used };
  return { problem: how === 'stopped' || code === 0 ? null : complaint, used };
}

async function gunzipInto(
  content: Buffer,
  maxBytes: number,
  onData: (data: Buffer) => boolean,
): Promise<Decompressed> {
  const gunzip = createGunzip();
  gunzip.end(content);
  let bytes = 0;
  const end = (problem: string | null): Decompressed => ({ problem, used: gunzip.bytesWritten });
  try {
    for await (const data of gunzip as AsyncIterable<Buffer>) {
      bytes += data.length;
      if (bytes > maxBytes) return end(tooMuch(maxBytes));
      if (!onData(data)) return end(null);
    }
    return end(null);
  } catch (error) {
    return end((error as Error).message);
  }
}

const tooMuch = (maxBytes: number): string =>
  `it is more than ${Math.round(maxBytes / 2 ** 20)} MiB`;

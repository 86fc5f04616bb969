/**
 * Which drivers an initramfs has. It is a row of cpio archives, the first ones often uncompressed (microcode),
 * the last one compressed; the kernel takes them in any order. Only names are kept of it.
 */
import { type DriverName, driverNames, type InitramfsFacts } from '../../check/image/facts.ts';
import { moduleName } from '../guest/modules.ts';
import { CpioReader } from './cpio-reader.ts';
import { decompressInto } from './decompress.ts';
import { compressionOf } from './disk-format.ts';
import type { ImageTools } from './tools.ts';

export const INITRAMFS_BYTES = 1 << 30;
const MAX_UNPACKED_BYTES = 4 * 2 ** 30;
const MAX_PARTS = 16;

type Maker = InitramfsFacts['maker'];
const MAKERS: readonly [RegExp, Maker][] = [
  [/^(usr\/)?lib\/dracut\//, 'dracut'],
  [/^(conf\/initramfs\.conf|scripts\/functions)$/, 'initramfs-tools'],
  [/^init_functions$/, 'mkinitcpio'],
  [/^(etc\/mkinitfs|usr\/share\/mkinitfs|sbin\/nlplug-findfs)/, 'mkinitfs'],
];

export async function readInitramfs(
  tools: ImageTools,
  content: Buffer,
  path: string,
): Promise<InitramfsFacts> {
  const drivers = new Set<DriverName>();
  let maker: Maker = 'other';
  const onName = (name: string): void => {
    const clean = name.replace(/^\.?\/+/, '');
    if (maker === 'other') maker = MAKERS.find(([pattern]) => pattern.test(clean))?.[1] ?? maker;
    const file = clean.slice(clean.lastIndexOf('/') + 1);
    if (!/\.ko(\.\w+)?$/.test(file)) return;
    const driver = driverNames.find((wanted) => wanted === moduleName(file));
    if (driver !== undefined) drivers.add(driver);
  };
  const unreadPart = await readParts(tools, content, onName);
  return { path, maker, drivers: driverNames.filter((name) => drivers.has(name)), unreadPart };
}

/** Why something was left unread; null: all was read. */
async function readParts(
  tools: ImageTools,
  content: Buffer,
  onName: (name: string) => void,
): Promise<string | null> {
  let rest = content;
  for (let part = 0; part < MAX_PARTS; part++) {
    const reader = new CpioReader(onName);
    reader.push(rest);
    const next = rest.subarray(reader.used);
    if (next.length === 0) return reader.complete ? null : 'it is cut off';
    if (!reader.complete) return reader.problem ?? 'it is cut off';
    const by = compressionOf(next);
    if (by === undefined) return `its part ${part + 1} is of no known kind`;
    const inner = new CpioReader(onName);
    const { problem, used } = await decompressInto(tools, next, by, MAX_UNPACKED_BYTES, (data) =>
      inner.push(data),
    );
    if (inner.problem !== null) return `its part ${part + 1} is no archive: ${inner.problem}`;
    if (!inner.complete) return problem ?? 'it is cut off';
    // some tools complain about what stands behind the compressed part: what that is, nobody has seen
    if (problem !== null) return `behind its ${by} part: ${problem}`;
    rest = next.subarray(used);
  }
  return 'it has too many parts';
}

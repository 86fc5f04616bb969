/** fstab(5): what is mounted where, and which device of the image that is. */
import type { MountFacts } from '../../check/image/facts.ts';

const MAX_LINES = 1000;

export function parseFstab(text: string, file: string): MountFacts[] {
  return text
    .split('\n')
    .slice(0, MAX_LINES)
    .flatMap((line, index) => {
      const [device = '#', mountPoint, type, options = ''] = line
        .trim()
        .split(/\s+/)
        .map(unescaped);
      if (device.startsWith('#') || mountPoint === undefined || type === undefined) return [];
      const at = { file, line: index + 1 };
      return [
        { device, mountPoint, type, options: options.split(',').filter((o) => o !== ''), at },
      ];
    });
}

/** A space is written as \040. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

export interface KnownDevice {
  /** GRUB's name: `loop0,gpt1`, `lvm/vg-root`. */
  name: string;
  uuid: string | null;
  label: string | null;
  partitionUuid: string | null;
}

/** The device that a first field means; undefined: none of these. */
export function deviceOf<T extends KnownDevice>(
  field: string,
  devices: readonly T[],
): T | undefined {
  const [, tag = '', quoted = ''] = /^(UUID|LABEL|PARTUUID)=(.*)$/.exec(field) ?? [];
  const value = quoted.replace(/^"(.*)"$/, '$1');
  const same = (a: string | null): boolean => a?.toLowerCase() === value.toLowerCase();
  const byLink = /^\/dev\/disk\/by-(uuid|label|partuuid)\/(.+)$/.exec(field);
  if (byLink !== null) return deviceOf(`${byLink[1]?.toUpperCase()}=${byLink[2]}`, devices);
  if (tag === 'UUID') return devices.find(({ uuid }) => same(uuid));
  if (tag === 'LABEL') return devices.find(({ label }) => label === value);
  if (tag === 'PARTUUID') return devices.find(({ partitionUuid }) => same(partitionUuid));
  const mapped =
    /^\/dev\/mapper\/(.+)$/.exec(field)?.[1] ??
    /^\/dev\/(?!disk\/)([^/]+\/[^/]+)$/.exec(field)?.[1];
  if (mapped !== undefined) {
    const [group, volume] = mapped.split('/');
    const doubled = (name = ''): string => name.replaceAll('-', '--');
    const name = volume === undefined ? mapped : `${doubled(group)}-${doubled(volume)}`;
    return devices.find((device) => device.name === `lvm/${name}`);
  }
  const number = /^\/dev\/(?:(?:sd|hd|vd|xvd)[a-z]|nvme\d+n\d+p)(\d+)$/.exec(field)?.[1];
  return number === undefined
    ? undefined
    : devices.find(({ name }) => new RegExp(`^loop0,(gpt|msdos)${number}$`).test(name));
}

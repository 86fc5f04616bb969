/**
 * What the firmware says that a machine is (SMBIOS 3, DSP0134), as instances of EC2 say it: software
 * for clouds looks there before it asks the metadata service (EC2 User Guide, "Detect whether a host
 * is an EC2 instance"; cloud-init's ds-identify).
 */
import { createHash } from 'node:crypto';

/** An instance of EC2, for a guest that is to believe that it is one. */
export type Ec2Machine = { readonly instance: string; readonly type: string };

/** For QEMU's command line. */
export function smbiosArguments({ instance, type }: Ec2Machine): string[] {
  const uuid = uuidOf(instance);
  const vendor = 'Amazon EC2';
  const tables = [
    `type=0,vendor=${vendor},version=1.0`,
    `type=1,manufacturer=${vendor},product=${doubled(type)},serial=${uuid},uuid=${uuid}`,
    `type=2,manufacturer=${vendor},asset=${doubled(instance)}`,
    `type=3,manufacturer=${vendor},asset=${vendor}`,
  ];
  return tables.flatMap((table) => ['-smbios', table]);
}

/** Begins with `ec2`, and is the same whenever the instance starts. */
function uuidOf(instance: string): string {
  const hex = createHash('sha256').update(instance).digest('hex');
  const parts = [hex.slice(3, 8), hex.slice(8, 12), hex.slice(13, 16), hex.slice(17, 20)];
  return `ec2${parts[0]}-${parts[1]}-4${parts[2]}-8${parts[3]}-${hex.slice(20, 32)}`;
}

const doubled = (text: string): string => text.replaceAll(',', ',,');

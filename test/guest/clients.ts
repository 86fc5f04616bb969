/** Stock clients of network services that guests' own images have not: of the distribution. */
import { type ExtraFile, programsWithLibraries } from '../../src/host/guest/guest-image.ts';
import { cacheDirectory } from '../../src/host/packages/cache.ts';
import { noProgress } from '../../src/host/packages/progress.ts';
import { ensureSet } from '../../src/host/packages/sets.ts';

const programs = ['chronyd', 'dhclient'].map((name) => `usr/sbin/${name}`);
programs.push('usr/bin/dig', 'usr/bin/ndisc6', 'usr/bin/rdisc6');
const packages = {
  packages: ['chrony', 'isc-dhcp-client', 'bind9-dnsutils', 'ndisc6'],
  proof: /^usr\/sbin\/chronyd$/,
};

/** What busybox's udhcpc6 calls: the address that it was leased, as DHCPv6 means it. */
const dhcp6Script = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip -6 addr replace "$ipv6/128" dev "$interface" preferred_lft "$lease" valid_lft "$lease"
env | grep -E '^(ipv6|dns|search|lease)=' > "/run/virtfn/lease6.$interface"
`;

/** Empty where the packages cannot be had: whoever asks for the guest's image is told why. */
export async function clients(): Promise<ExtraFile[]> {
  const options = { cache: cacheDirectory(), progress: noProgress };
  const script = { path: '/usr/lib/virtfn/dhcp6', content: new TextEncoder().encode(dhcp6Script) };
  try {
    const { root } = await ensureSet('clients', () => packages, options);
    const files = programsWithLibraries(root, programs).flatMap((entry) =>
      entry.kind === 'file' ? [{ ...entry, path: `/${entry.path}` }] : [],
    );
    return [...files, { ...script, executable: true }];
  } catch {
    return [];
  }
}

/**
 * Linux itself: three network namespaces joined by veth, the middle one routes and lets through what
 * its stateful nftables rules allow. `bench/blast.c` sends from the first and counts in the last. All
 * of it is in a user namespace of its own, and goes with the process.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandInRoot } from '../qemu/binary.ts';
import type { FigureSpec } from './figures.ts';
import { nativeContender } from './native.ts';
import type { Slice } from './path-spec.ts';
import type { PeerPrograms } from './peer-programs.ts';
import type { Contender } from './turns.ts';

const rules = `table inet bench {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    ip saddr 192.168.0.0/16 drop
    udp dport 5201 accept
    tcp dport 5201 accept
  }
}
`;

/** Makes the namespaces, then becomes the program that is measured. `ip` and `nft` are functions. */
const script = (ip: string, nft: string, file: string): string => `set -e
mount -t tmpfs none /run
ip() { ${ip} "$@"; }
nft() { ${nft} "$@"; }
ip netns add a
ip netns add b
ip link add a0 type veth peer name a1 netns a
ip link add b0 type veth peer name b1 netns b
ip addr add 198.18.1.1/24 dev a0
ip addr add 198.18.2.1/24 dev b0
ip link set a0 up
ip link set b0 up
ip -n a addr add 198.18.1.2/24 dev a1
ip -n b addr add 198.18.2.2/24 dev b1
ip -n a link set a1 up
ip -n b link set b1 up
ip -n a route add default via 198.18.1.1
ip -n b route add default via 198.18.2.1
echo 1 > /proc/sys/net/ipv4/ip_forward
nft -f ${file}
exec "$@"
`;

/** @throws Error that says what this machine does not allow */
export async function kernelContender(
  native: { readonly directory: string },
  programs: PeerPrograms,
  { what, bytes }: { what: 'udp' | 'tcp'; bytes: number },
  figure: FigureSpec,
): Promise<Contender> {
  const { directory } = native;
  const ruleFile = join(directory, 'rules.nft');
  const shell = join(directory, 'namespaces.sh');
  writeFileSync(ruleFile, rules);
  const [ip, nft] = [toolOf(programs, 'ip'), toolOf(programs, 'nft')];
  writeFileSync(shell, script(ip, nft, ruleFile));
  const blast = [join(directory, 'blast'), '/run/netns/a', '/run/netns/b', '198.18.2.2', what];
  const payload = what === 'udp' ? [`${bytes - udpHeaders}`] : [];
  const value = ({ frames, ns }: Slice): number =>
    what === 'udp' ? (frames / ns) * 1e3 : (frames * 8) / ns;
  const command = ['/usr/bin/unshare', ['-rnm', '/bin/sh', shell, ...blast, ...payload]] as const;
  return nativeContender(command, figure, value);
}

/** Ethernet, IPv4, UDP. */
const udpHeaders = 42;

/** The machine's own, else that of the packages. */
function toolOf({ root }: PeerPrograms, name: string): string {
  const own = ['/usr/sbin', '/sbin', '/usr/bin', '/bin'].map((directory) => join(directory, name));
  return own.find((path) => existsSync(path)) ?? commandInRoot(root, `usr/sbin/${name}`).join(' ');
}

/** For tests: a tree of files like an instance's, in a temporary directory. */
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Path -> text; `-> x`: a link to x; ending in `/`: a directory; null: not there. */
export type Files = Readonly<Record<string, string | null>>;

export function writeTree(files: Files): string {
  const root = mkdtempSync(join(tmpdir(), 'virtfn-host-'));
  for (const [path, text] of Object.entries(files)) {
    if (text === null) continue;
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    if (path.endsWith('/')) mkdirSync(file, { recursive: true });
    else if (text.startsWith('-> ')) symlinkSync(text.slice(3), file);
    else writeFileSync(file, text);
  }
  return root;
}

const pci = '/sys/devices/pci0000:00';
const kernel = '6.12.117+deb13-cloud-amd64';

/** A c6in.large as Linux shows it: sysfs of links, an ENA function with two queues. */
export const instanceFiles: Files = {
  '/proc/sys/kernel/osrelease': `${kernel}\n`,
  '/proc/cmdline': 'root=/dev/nvme0n1p1 net.ifnames=0 ro\n',
  '/proc/sys/net/ipv4/tcp_limit_output_bytes': '4194304\n',
  '/proc/sys/net/ipv4/tcp_autocorking': '1\n',
  '/proc/sys/kernel/yama/ptrace_scope': '1\n',
  '/proc/meminfo': 'MemTotal: 3900000 kB\nHugePages_Total:       0\n',
  '/proc/self/limits':
    'Max locked memory         8388608              8388608              bytes     \n',
  '/sys/devices/system/cpu/online': '0-1\n',
  '/sys/devices/virtual/dmi/id/board_vendor': 'Amazon EC2\n',
  '/sys/devices/virtual/dmi/id/product_name': 'c6in.large\n',
  '/sys/bus/pci/devices/0000:00:05.0': '-> ../../../devices/pci0000:00/0000:00:05.0',
  [`${pci}/0000:00:05.0/vendor`]: '0x1d0f\n',
  [`${pci}/0000:00:05.0/device`]: '0xec20\n',
  [`${pci}/0000:00:05.0/resource`]:
    '0x00000000febf4000 0x00000000febf7fff 0x0000000000040200\n' +
    '0x0000000000000000 0x0000000000000000 0x0000000000000000\n' +
    '0x00000000fe800000 0x00000000fe8fffff 0x0000000000042208\n',
  [`${pci}/0000:00:05.0/driver`]: '-> ../../../bus/pci/drivers/ena',
  [`${pci}/0000:00:05.0/msi_irqs/26`]: 'msix\n',
  [`${pci}/0000:00:05.0/msi_irqs/27`]: 'msix\n',
  [`${pci}/0000:00:05.0/msi_irqs/28`]: 'msix\n',
  '/proc/irq/26/ena-mgmnt@pci:0000:00:05.0/': '',
  '/proc/irq/27/eth0-Tx-Rx-0/': '',
  '/proc/irq/27/effective_affinity_list': '0\n',
  '/proc/irq/28/eth0-Tx-Rx-1/': '',
  '/proc/irq/28/effective_affinity_list': '1\n',
  '/sys/class/net/eth0': '-> ../../devices/pci0000:00/0000:00:05.0/net/eth0',
  [`${pci}/0000:00:05.0/net/eth0/address`]: '02:00:00:00:00:01\n',
  [`${pci}/0000:00:05.0/net/eth0/mtu`]: '9001\n',
  [`${pci}/0000:00:05.0/net/eth0/operstate`]: 'up\n',
  [`${pci}/0000:00:05.0/net/eth0/queues/rx-0/`]: '',
  [`${pci}/0000:00:05.0/net/eth0/queues/rx-1/`]: '',
  [`${pci}/0000:00:05.0/net/eth0/queues/tx-0/byte_queue_limits/limit_min`]: '0\n',
  [`${pci}/0000:00:05.0/net/eth0/queues/tx-1/byte_queue_limits/limit_min`]: '0\n',
  [`/lib/modules/${kernel}/modules.builtin`]: 'kernel/drivers/net/loopback.ko\n',
  [`/lib/modules/${kernel}/modules.dep`]:
    'kernel/drivers/net/ethernet/amazon/ena/ena.ko.xz:\nkernel/drivers/x/xena.ko: a.ko\n',
  '/virtfn/dmesg':
    '[    1.1] ena 0000:00:05.0: Elastic Network Adapter (ENA) found at mem febf4000, mac addr 02\n',
  '/virtfn/ethtool/eth0.i': `driver: ena\nversion: ${kernel}\nfirmware-version: \n`,
  '/virtfn/ethtool/eth0.g':
    'Ring parameters for eth0:\nPre-set maximums:\nRX:\t16384\nTX:\t1024\nCurrent hardware settings:\nRX:\t\t1024\nRX Mini:\tn/a\nTX:\t\t1024\nTX Push:\ton\n',
  '/virtfn/ethtool/eth0.S':
    'NIC statistics:\n     tx_timeout: 0\n     bw_in_allowance_exceeded: 5\n     bw_out_allowance_exceeded: 0\n' +
    '     pps_allowance_exceeded: 0\n     conntrack_allowance_exceeded: 0\n     linklocal_allowance_exceeded: 0\n' +
    '     conntrack_allowance_available: 136812\n     ena_srd_mode: 0\n',
};

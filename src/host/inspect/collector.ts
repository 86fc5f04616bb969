/**
 * The shell script of `virtfn check host --collector`: copies what a check reads into a tar on stdout, for
 * machines where virtfn does not run. POSIX sh, with cat, readlink, tar; busybox has them too. It writes to
 * a temporary directory of its own and nowhere else.
 */

/** Files and links, as patterns of the shell. What `host/inspect` reads must be among them. */
const files = [
  '/proc/sys/kernel/osrelease',
  '/proc/sys/kernel/yama/ptrace_scope',
  '/proc/sys/net/ipv4/tcp_limit_output_bytes',
  '/proc/sys/net/ipv4/tcp_autocorking',
  '/proc/cmdline',
  '/proc/meminfo',
  '/proc/self/limits',
  '/proc/irq/*/effective_affinity_list',
  '/proc/irq/*/smp_affinity_list',
  '/sys/devices/virtual/dmi/id/board_vendor',
  '/sys/devices/virtual/dmi/id/product_name',
  '/sys/hypervisor/uuid',
  '/sys/devices/system/cpu/online',
  '/sys/module/ena/parameters/enable_bql',
  '/sys/bus/pci/devices/*/vendor',
  '/sys/bus/pci/devices/*/device',
  '/sys/bus/pci/devices/*/resource',
  '/sys/bus/pci/devices/*/driver',
  '/sys/bus/pci/devices/*/net/*/mtu',
  '/sys/bus/pci/devices/*/net/*/operstate',
  '/sys/bus/pci/devices/*/net/*/queues/tx-*/byte_queue_limits/limit_min',
  '/sys/class/net/*/address',
  '/sys/class/infiniband/*/device',
  '/sys/class/infiniband/*/ports/1/state',
  '/etc/udev/rules.d/70-persistent-net.rules',
];
/** Kept as empty files or directories: only that they are there is read. */
const names = [
  '/proc/irq/*/*',
  '/sys/module/ena',
  '/sys/module/ixgbevf',
  '/sys/bus/pci/devices/*/msi_irqs/*',
  '/sys/bus/pci/devices/*/net/*/queues/*',
  '/dev/infiniband/uverbs*',
  '/opt/amazon/efa/lib*/libfabric.so.1',
  '/usr/lib*/libfabric.so.1',
  '/usr/lib*/libefa.so.1',
  '/usr/lib/*/libfabric.so.1',
  '/usr/lib/*/libefa.so.1',
  '/usr/local/lib/libfabric.so.1',
  '/usr/local/lib/libefa.so.1',
];

export function collectorScript(): string {
  return `#!/bin/sh
# Made by: virtfn check host --collector. Reads what the check needs; the tar on stdout is all that it makes.
set -u
[ -t 1 ] && { echo 'redirect this to a file: sh collect.sh > host.tar' >&2; exit 2; }
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
make() { mkdir -p "$out$(dirname "$1")"; }
copy() { # a link of sysfs leads to what it names, a file becomes its text
  if [ -L "$1" ] && [ -d "$1" ]; then make "$1"; ln -s "$(readlink "$1")" "$out$1"
  elif [ -f "$1" ] && [ -r "$1" ]; then make "$1"; cat "$1" > "$out$1" 2>/dev/null || rm -f "$out$1"
  fi
}
for f in ${files.join(' \\\n  ')}; do copy "$f"; done
for f in ${names.join(' \\\n  ')} /lib/modules/$(uname -r)/modules.builtin /lib/modules/$(uname -r)/modules.dep; do
  [ -e "$f" ] && [ ! -e "$out$f" ] || continue
  if [ -d "$f" ]; then mkdir -p "$out$f"; else make "$f"; : > "$out$f"; fi
done
for f in /lib/modules/$(uname -r)/modules.builtin /lib/modules/$(uname -r)/modules.dep; do copy "$f"; done
mkdir -p "$out/virtfn/ethtool"
dmesg > "$out/virtfn/dmesg" 2>/dev/null || rm -f "$out/virtfn/dmesg"
for f in /sys/class/net/*; do
  n=\${f##*/}
  for o in i S g; do
    ethtool -$o "$n" > "$out/virtfn/ethtool/$n.$o" 2>/dev/null || rm -f "$out/virtfn/ethtool/$n.$o"
  done
done
tar -C "$out" -cf - .
`;
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceOf, type MachineSpec, machineArguments, netdevOf } from './args.ts';

const spec: MachineSpec = {
  name: 'a',
  accelerator: 'tcg',
  memoryMb: 512,
  cpus: 2,
  boot: { kind: 'kernel', kernel: '/k', initramfs: '/i', commandLine: 'quiet' },
  nics: [{ kind: 'vfio-user', socket: '/tmp/a,b.sock' }],
  hotplugPorts: 2,
  qmpFd: 3,
  agentFd: 4,
  console: { kind: 'file', path: '/tmp/x,y' },
};

/** All values of an option, parsed where they are JSON. */
function values(args: string[], option: string): unknown[] {
  return args.flatMap((arg, index) => {
    const value = args[index + 1] ?? '';
    return arg === option ? [value.startsWith('{') ? JSON.parse(value) : value] : [];
  });
}

test('guest memory is one shared memfd which the machine uses', () => {
  const args = machineArguments(spec);
  assert.deepEqual(values(args, '-object'), [
    { 'qom-type': 'memory-backend-memfd', id: 'mem', size: 512 * 1024 * 1024, share: true },
  ]);
  assert.match(String(values(args, '-machine')[0]), /^q35,memory-backend=mem\b/);
});

test('a vfio-user NIC sits below a root port of its own, beside empty ones for hot-plug', () => {
  const devices = values(machineArguments(spec), '-device') as Record<string, unknown>[];
  const ports = devices.filter(({ driver }) => driver === 'pcie-root-port');
  assert.deepEqual(
    ports.map(({ id }) => id),
    ['port0', 'port1', 'port2'],
  );
  assert.equal(new Set(ports.map(({ chassis }) => chassis)).size, 3);
  assert.deepEqual(devices.at(-1), {
    driver: 'vfio-user-pci',
    id: 'nic0',
    bus: 'port0',
    socket: { type: 'unix', path: '/tmp/a,b.sock' },
  });
});

test('a comma in a path is doubled where the option is a list', () => {
  const chardevs = values(machineArguments(spec), '-chardev');
  assert.ok(chardevs.includes('file,id=console,path=/tmp/x,,y'));
});

test('one end of an emulated link listens and the other keeps trying', () => {
  const nic = { kind: 'netdev', model: 'e1000e', mac: '02:00:00:00:00:01' } as const;
  const server = { ...nic, link: { path: '/l', server: true } };
  const client = { ...nic, link: { path: '/l', server: false } };
  assert.equal(netdevOf(server, 'n')?.['reconnect-ms'], undefined);
  assert.equal(netdevOf(client, 'n')?.['reconnect-ms'], 200);
  assert.equal(deviceOf(client, 'n', 'port0')['netdev'], netdevOf(client, 'n')?.['id']);
});

test('KVM shows the host CPU, TCG a model, and the caller may choose', () => {
  const cpu = (change: Partial<MachineSpec>): unknown =>
    values(machineArguments({ ...spec, ...change }), '-cpu')[0];
  assert.equal(cpu({ accelerator: 'kvm' }), 'host');
  assert.match(String(cpu({})), /^Nehalem/);
  assert.equal(cpu({ cpuModel: 'EPYC' }), 'EPYC');
});

test('disks are never written to', () => {
  const args = machineArguments({
    ...spec,
    boot: { kind: 'disk', disks: [{ path: '/d,1', format: 'qcow2', mode: 'snapshot' }] },
  });
  assert.deepEqual(values(args, '-drive'), [
    'if=none,id=disk0,format=qcow2,snapshot=on,file=/d,,1',
  ]);
  assert.deepEqual(values(args, '-kernel'), []);
});

test('a disk on NVMe has the serial number of a volume, and a NIC the slot that it is named by', () => {
  const disk = { path: '/d', format: 'raw', bus: 'nvme', mode: 'snapshot' } as const;
  const args = machineArguments({ ...spec, boot: { kind: 'disk', disks: [disk] }, firstSlot: 5 });
  const devices = values(args, '-device') as Record<string, unknown>[];
  const [nvme] = devices.filter(({ driver }) => driver === 'nvme');
  assert.match(String(nvme?.['serial']), /^vol/);
  assert.equal(nvme?.['bootindex'], 0);
  const [port] = devices.filter(({ driver }) => driver === 'pcie-root-port');
  assert.equal(port?.['slot'], 5);
});

test('firmware is flash that is never written to', () => {
  const firmware = { code: '/c', variables: '/v' };
  const flash = values(machineArguments({ ...spec, firmware }), '-drive');
  assert.deepEqual(flash, [
    'if=pflash,unit=0,format=raw,readonly=on,file=/c',
    'if=pflash,unit=1,format=raw,snapshot=on,file=/v',
  ]);
});

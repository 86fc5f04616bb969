/** What an instance type asks of an image. An error: it does not run there. A warning: it runs, and slower. */
import type { InstanceType } from '../../vpc/instance-type.ts';
import { fail, notApplicable, pass, type Rule, unknown, type Verdict } from '../rule.ts';
import type { TypeFacts } from './facts.ts';

const group = 'image';
const see = 'virtfn check image DISK';

const isXen = ({ hypervisor }: InstanceType): boolean => hypervisor === 'xen';

/** The image's own verdict, as one on this type. */
function as(verdict: Verdict, type: InstanceType, words = verdict.text): Verdict {
  const about = { subject: type.name, seen: verdict.seen };
  const [first = see, ...more] = verdict.mend;
  switch (verdict.outcome) {
    case 'fail':
      return fail(words, { ...about, mend: [first, ...more] });
    case 'unknown':
      return unknown(verdict.text, about);
    default:
      return pass(verdict.text, about);
  }
}

const architecture: Rule<TypeFacts> = {
  id: 'types-architecture',
  group,
  severity: 'error',
  title: 'the type has processors of the kind that the image is for',
  reason: 'An image runs on processors of one architecture.',
  source: 'DescribeInstanceTypes, ProcessorInfo.SupportedArchitectures',
  mend: '# build the image for the other architecture',
  evaluate: ({ type, image }) => {
    const about = { subject: type.name };
    if (image.architecture === null) return [unknown(image.architectureUnknown, about)];
    if (type.architectures.includes(image.architecture)) return [pass(image.architecture, about)];
    const mend = [`# build the image for ${type.architectures.join(' or ')}`] as const;
    return [fail(`the image is for ${image.architecture}`, { ...about, mend })];
  },
};

const bootMode: Rule<TypeFacts> = {
  id: 'types-boot-mode',
  group,
  severity: 'error',
  title: "the type's firmware can start the image",
  reason: 'ARM types start by UEFI only, Xen types by a BIOS only, other x86 types by either.',
  source: 'EC2 User Guide, "Boot modes"; DescribeInstanceTypes, SupportedBootModes',
  mend: see,
  evaluate: ({ type, image }) => {
    const { bios, uefi } = bootModes(type);
    const ways = [...(bios ? [image.byBios] : []), ...(uefi ? [image.byUefi] : [])];
    const good = ways.find(({ outcome }) => outcome === 'pass');
    const untold = ways.find(({ outcome }) => outcome === 'unknown');
    if (good !== undefined) return [as(good, type)];
    if (untold !== undefined) return [as(untold, type)];
    const names = [...(bios ? ['a BIOS'] : []), ...(uefi ? ['UEFI'] : [])].join(' or ');
    return [fail(`the image does not start by ${names}`, { subject: type.name, mend: [see] })];
  },
};

function bootModes(type: InstanceType): { bios: boolean; uefi: boolean } {
  const { bootModes: modes } = type;
  if (modes !== null)
    return {
      bios: modes.includes('legacy-bios'),
      uefi: modes.some((mode) => mode.startsWith('uefi')),
    };
  if (type.architectures.includes('arm64')) return { bios: false, uefi: true };
  return { bios: true, uefi: !isXen(type) };
}

const disk: Rule<TypeFacts> = {
  id: 'types-root-disk',
  group,
  severity: 'error',
  title: 'the image finds its root on the disks of the type',
  reason:
    'Nitro types have NVMe disks, Xen types those of Xen: the driver must be there before the root is mounted.',
  source: 'EC2 User Guide, "Amazon EBS volumes and NVMe"',
  mend: see,
  evaluate: ({ type, image }) => {
    if (isXen(type)) return [as(image.xenDisk, type)];
    return [as(image.nvme.outcome === 'pass' ? image.diskNames : image.nvme, type)];
  },
};

const card: Rule<TypeFacts> = {
  id: 'types-network-card',
  group,
  severity: 'error',
  title: "the image drives the type's only network card",
  reason:
    'Nitro types have ENA and nothing else; Xen types have the adapter of Xen where nobody asks for more.',
  source: 'EC2 User Guide, "Enhanced networking on Amazon EC2 instances"',
  mend: see,
  evaluate: ({ type, image }) => [
    as(isXen(type) && type.ena !== 'required' ? image.xenNetwork : image.ena, type),
  ],
};

const address: Rule<TypeFacts> = {
  id: 'types-address',
  group,
  severity: 'error',
  title: 'the image asks for an address on a new interface',
  reason: 'The interface of an instance is new to the image; without an address nobody reaches it.',
  source: 'EC2 User Guide, "Troubleshoot the Elastic Network Adapter"',
  mend: see,
  evaluate: ({ type, image }) => [as(image.network, type)],
};

const enhanced: Rule<TypeFacts> = {
  id: 'types-enhanced-networking',
  group,
  severity: 'warning',
  title: 'the image has the driver of the enhanced networking that the type offers',
  reason: "Without it the type runs on Xen's adapter: less bandwidth, fewer packets, more jitter.",
  source: 'EC2 User Guide, "Enhanced networking on Amazon EC2 instances"',
  mend: see,
  evaluate: ({ type, image }) => {
    if (!isXen(type) || type.ena === 'required') return [];
    if (type.ena === 'supported') return [as(image.ena, type, `no ENA: ${image.ena.text}`)];
    if (type.vf82599) return [as(image.ixgbevf, type, `no 82599 VF: ${image.ixgbevf.text}`)];
    return [notApplicable('it has no enhanced networking', { subject: type.name })];
  },
};

const efa: Rule<TypeFacts> = {
  id: 'types-efa',
  group,
  severity: 'note',
  title: 'the image has the driver of the EFA that the type offers',
  reason: 'EFA interfaces work as ENA without it.',
  source: 'EC2 User Guide, "Elastic Fabric Adapter"',
  mend: 'sudo ./efa_installer.sh -y   # of aws-efa-installer',
  evaluate: ({ type, image }) => (type.efaInterfaces === 0 ? [] : [as(image.efa, type)]),
};

export const typeRules: readonly Rule<TypeFacts>[] = [
  architecture,
  bootMode,
  disk,
  card,
  address,
  enhanced,
  efa,
];

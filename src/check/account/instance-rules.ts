/** Instances and the images that they are made of: do both say that they have Enhanced Networking? */
import { shellWord } from '../printable.ts';
import { fail, judge, judgeEach, notApplicable, pass, type Rule, unknown } from '../rule.ts';
import type { AccountFacts, ImageFacts, TypeFacts } from './facts.ts';
import { about, eachInstance, imageOf, instanceOf, interfacesOf, typeNamed } from './walk.ts';

const group = 'instances';
const images = 'images';
const guide = 'EC2 User Guide, "Enable enhanced networking with ENA"';

const stopFirst = (id: string, option: string) =>
  [
    `aws ec2 stop-instances --instance-ids ${shellWord(id)}`,
    `aws ec2 modify-instance-attribute --instance-id ${shellWord(id)} ${option}`,
    `aws ec2 start-instances --instance-ids ${shellWord(id)}`,
  ] as const;

const ena: Rule<AccountFacts> = {
  id: 'account-instance-ena',
  group,
  severity: 'error',
  title: 'an instance whose type needs ENA has its attribute',
  reason:
    'Types on Nitro have no other network: without enaSupport such an instance does not start, or is not reachable.',
  source: guide,
  mend: 'aws ec2 modify-instance-attribute --instance-id INSTANCE --ena-support   # while it is stopped',
  evaluate: (facts) =>
    eachInstance(facts, ({ id, enaSupport }, type, { seen }) => {
      const said = {
        subject: id,
        seen: [...seen, ...about('DescribeInstances', id, `EnaSupport ${enaSupport}`).seen],
      };
      if (type.ena !== 'required') return notApplicable(`${type.name} does not need it`, said);
      if (enaSupport) return pass(`${type.name} needs ENA, and it has it`, said);
      return fail(`${type.name} needs ENA, and enaSupport is not set`, {
        ...said,
        mend: stopFirst(id, '--ena-support'),
      });
    }),
};

const enhanced: Rule<AccountFacts> = {
  id: 'account-instance-enhanced',
  group,
  severity: 'warning',
  title: 'an instance whose type can have Enhanced Networking has it',
  reason:
    'Without the attribute it has the stock adapter of Xen: less bandwidth, fewer packets, more jitter, at the same price.',
  source: 'EC2 User Guide, "Enhanced networking on Amazon EC2 instances"',
  mend: 'aws ec2 modify-instance-attribute --instance-id INSTANCE --ena-support   # or --sriov-net-support simple',
  evaluate: (facts) =>
    eachInstance(facts, ({ id, enaSupport, sriovNetSupport }, type, { seen }) => {
      const value = `EnaSupport ${enaSupport}, SriovNetSupport ${sriovNetSupport || 'none'}`;
      const said = { subject: id, seen: [...seen, ...about('DescribeInstances', id, value).seen] };
      if (type.ena === 'required') return notApplicable(`${type.name} has nothing else`, said);
      if (type.ena === 'supported') {
        if (enaSupport) return pass(`${type.name} by ENA`, said);
        const mend = stopFirst(id, '--ena-support');
        return fail(`${type.name} could have ENA; install its driver first`, { ...said, mend });
      }
      if (!type.vf82599) return notApplicable(`${type.name} has no Enhanced Networking`, said);
      if (sriovNetSupport === 'simple') return pass(`${type.name} by an 82599 VF`, said);
      const mend = stopFirst(id, '--sriov-net-support simple');
      return fail(`${type.name} could have an 82599 VF; there is no way back`, { ...said, mend });
    }),
};

const count: Rule<AccountFacts> = {
  id: 'account-instance-interfaces',
  group,
  severity: 'error',
  title: 'an instance has no more interfaces than its type',
  reason: 'What is changed to a smaller type does not start with interfaces that it cannot have.',
  source: 'DescribeInstanceTypes, NetworkInfo.MaximumNetworkInterfaces',
  mend: 'aws ec2 detach-network-interface --attachment-id ATTACHMENT',
  evaluate: (facts) =>
    eachInstance(facts, (instance, type, { seen }) =>
      judge(
        interfacesOf(facts, instance),
        instance.id,
        (own, more) => {
          const said = { ...more, seen: [...seen, ...more.seen] };
          const text = `${own.length} of ${type.maxInterfaces} interfaces of ${type.name}`;
          if (own.length <= type.maxInterfaces) return pass(text, said);
          const mend = ['aws ec2 detach-network-interface --attachment-id ATTACHMENT'] as const;
          return fail(text, { ...said, mend });
        },
        (own) => own.map(({ id }) => id).join(' '),
      ),
    ),
};

const queues: Rule<AccountFacts> = {
  id: 'account-interface-queues',
  group,
  severity: 'note',
  title: 'an interface has as many ENA queues as its type gives by default',
  reason:
    'Fewer queues leave vCPUs without one: packets per second end early. That may be wanted, where other interfaces have more.',
  source: 'EC2 User Guide, "ENA queues"; DescribeInstanceTypes, DefaultEnaQueueCountPerInterface',
  mend: 'aws ec2 modify-network-interface-attribute --network-interface-id ENI --attachment AttachmentId=ATTACHMENT,DefaultEnaQueueCount=true',
  evaluate: (facts) =>
    judgeEach(facts.interfaces, (eni) => {
      const set = eni.attachment?.enaQueues ?? null;
      const said = about('DescribeNetworkInterfaces', eni.id, `EnaQueueCount ${set ?? 'absent'}`);
      if (eni.attachment === null) return notApplicable('it is not attached', said);
      if (set === null) return pass('as many ENA queues as its type gives', said);
      return judge(instanceOf(facts, eni), eni.id, (instance) => {
        if (instance === null) return notApplicable('it is attached to no instance', said);
        return judge(typeNamed(facts, instance.type), eni.id, ({ name, queues: usual }) => {
          if (usual === null) return unknown(`how many ${name} has by default is not known`, said);
          const text = `${set} queues, ${name} has ${usual} by default`;
          if (set >= usual) return pass(text, said);
          return fail(text, {
            ...said,
            mend: [
              `aws ec2 modify-network-interface-attribute --network-interface-id ${shellWord(eni.id)} --attachment AttachmentId=ATTACHMENT,DefaultEnaQueueCount=true`,
            ],
          });
        });
      });
    }),
};

const published: Rule<AccountFacts> = {
  id: 'account-type-catalogue',
  group,
  severity: 'note',
  title: 'a type is as the catalogue has it',
  reason:
    'Where they differ, what virtfn enforces and explains by its catalogue is not what this account gets.',
  source: "DescribeInstanceTypes; virtfn's catalogue",
  mend: 'aws ec2 describe-instance-types --output json > mine.json && virtfn types --from mine.json',
  evaluate: (facts) =>
    judgeEach(facts.told, (own) => {
      const said = about('DescribeInstanceTypes', own.name, wordsOf(own));
      const other = facts.published.find(({ name }) => name === own.name);
      if (other === undefined)
        return fail(`${own.name} is not in the catalogue`, { ...said, mend: [published.mend] });
      const differ = differences(own, other);
      if (differ.length === 0) return pass('as the catalogue has it', said);
      return fail(differ.join('; '), { ...said, mend: [published.mend] });
    }),
};

const imageEna: Rule<AccountFacts> = {
  id: 'account-image-ena',
  group: images,
  severity: 'warning',
  title: 'an image of your own says that it has ENA',
  reason:
    'RunInstances refuses an image without enaSupport for each type that needs ENA, which is all of Nitro.',
  source: 'EC2 API, RunInstances: InvalidParameterCombination; RegisterImage, EnaSupport',
  mend: 'aws ec2 register-image --ena-support --virtualization-type hvm --architecture ARCH --name NAME ...',
  evaluate: (facts) =>
    judgeEach(facts.images, (image) => {
      const said = about('DescribeImages', image.id, `EnaSupport ${image.enaSupport}`);
      if (!image.isOwn) return notApplicable('it is of somebody else', said);
      if (image.enaSupport) return pass(`${image.name || 'it'} has ENA`, said);
      return fail('it cannot be launched on types that need ENA', {
        ...said,
        mend: [
          `virtfn check image DISK   # that its driver is there`,
          '# then make it anew, of an instance that has the attribute, or of the snapshot of this one:',
          `aws ec2 register-image --ena-support --virtualization-type hvm --architecture ${shellWord(image.architecture || 'x86_64')} --name NAME --root-device-name /dev/xvda --block-device-mappings 'DeviceName=/dev/xvda,Ebs={SnapshotId=SNAPSHOT}'`,
        ],
      });
    }),
};

const imageHvm: Rule<AccountFacts> = {
  id: 'account-image-hvm',
  group: images,
  severity: 'error',
  title: 'an image of your own is HVM',
  reason:
    'Neither ENA nor the 82599 VF works in a paravirtual instance; RegisterImage makes one by default.',
  source: 'EC2 User Guide, "Enhanced networking"; EC2 API, RegisterImage, VirtualizationType',
  mend: 'aws ec2 register-image --virtualization-type hvm --ena-support ...',
  evaluate: (facts) =>
    judgeEach(facts.images, ({ id, isOwn, virtualization }) => {
      const said = about('DescribeImages', id, `VirtualizationType ${virtualization || 'absent'}`);
      if (!isOwn) return notApplicable('it is of somebody else', said);
      if (virtualization === '') return unknown('EC2 does not say how it is virtualized', said);
      if (virtualization === 'hvm') return pass('it is HVM', said);
      return fail(`it is ${virtualization}`, { ...said, mend: [imageHvm.mend] });
    }),
};

const bootMode: Rule<AccountFacts> = {
  id: 'account-image-boot-mode',
  group: images,
  severity: 'error',
  title: "an instance's type boots as its image demands",
  reason:
    'An image for UEFI only does not start on a type that has legacy BIOS only, nor the other way round.',
  source: 'EC2 User Guide, "Instance launch behavior with Amazon EC2 boot modes"',
  mend: 'aws ec2 register-image --boot-mode uefi-preferred ...   # an image that can do both',
  evaluate: (facts) =>
    eachInstance(facts, (instance, type, { seen }) =>
      judge(
        imageOf(facts, instance),
        instance.id,
        (image, more) => {
          const said = { ...more, seen: [...seen, ...more.seen] };
          if (image === null)
            return unknown(`its image ${instance.image} is gone, or may not be seen`, said);
          if (image.bootMode === '') return pass(`${image.id} boots as the type does`, said);
          if (type.bootModes === null) return unknown(`how ${type.name} boots is not known`, said);
          const either =
            image.bootMode === 'uefi-preferred' ? ['uefi', 'legacy-bios'] : [image.bootMode];
          const text = `${image.id} wants ${image.bootMode}, ${type.name} has ${type.bootModes.join(' and ')}`;
          if (either.some((mode) => type.bootModes?.includes(mode))) return pass(text, said);
          return fail(text, { ...said, mend: [bootMode.mend] });
        },
        bootWords,
      ),
    ),
};

const imds: Rule<AccountFacts> = {
  id: 'account-image-imds',
  group: images,
  severity: 'note',
  title: 'an image of your own asks the metadata service with tokens only',
  reason:
    'With imdsSupport v2.0 instances of it answer no request without a token, whatever a program is tricked into.',
  source:
    'EC2 User Guide, "Configure the Instance Metadata Service options"; RegisterImage, ImdsSupport',
  mend: 'aws ec2 modify-image-attribute --image-id IMAGE --imds-support v2.0',
  evaluate: (facts) =>
    judgeEach(facts.images, ({ id, isOwn, imdsSupport }) => {
      const said = about('DescribeImages', id, `ImdsSupport ${imdsSupport || 'absent'}`);
      if (!isOwn) return notApplicable('it is of somebody else', said);
      if (imdsSupport === 'v2.0') return pass('tokens only', said);
      const mend = [
        `aws ec2 modify-image-attribute --image-id ${shellWord(id)} --imds-support v2.0`,
      ] as const;
      return fail('requests without a token are answered by default', { ...said, mend });
    }),
};

const bootWords = (image: ImageFacts | null): string =>
  image === null ? 'no such image' : `BootMode ${image.bootMode || 'absent'}`;

const wordsOf = ({ ena: support, efaInterfaces, maxInterfaces }: TypeFacts): string =>
  `ENA ${support}, ${efaInterfaces} EFA, ${maxInterfaces} interfaces`;

function differences(own: TypeFacts, other: TypeFacts): string[] {
  const fields = ['ena', 'efaInterfaces', 'maxInterfaces', 'networkCards', 'enaExpress'] as const;
  return fields
    .filter((field) => own[field] !== other[field])
    .map((field) => `${field} ${own[field]}, in the catalogue ${other[field]}`);
}

export const instanceRules: readonly Rule<AccountFacts>[] = [
  ena,
  enhanced,
  count,
  queues,
  published,
  imageEna,
  imageHvm,
  bootMode,
  imds,
];

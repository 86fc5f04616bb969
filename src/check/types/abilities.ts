/** What an image has to offer to instance types, of the rules on images: each verdict is the worst of several. */
import { isKnown, valueIn } from '../fact.ts';
import {
  earlyVerdicts,
  fittingVerdicts,
  indexedVerdicts,
  permittedVerdicts,
  presentVerdicts,
} from '../image/driver-verdicts.ts';
import type { DriverName, ImageFacts } from '../image/facts.ts';
import { imageRules } from '../image/rules.ts';
import { fail, type Outcome, pass, unknown, type Verdict } from '../rule.ts';
import type { ImageAbilities } from './facts.ts';

export function abilitiesOf(facts: ImageFacts): ImageAbilities {
  const { architecture, boot, disk } = facts;
  const arm = valueIn(architecture) === 'arm64';
  const efi = valueIn(boot.efiLoader);
  const mode = (is: boolean, text: string): Verdict => {
    if (disk === null) return unknown('a directory or archive has no boot sector');
    if (!isKnown(boot.efiLoader)) return unknown(boot.efiLoader.unknown);
    return is
      ? pass(text)
      : fail(`it does not start by ${text}`, { mend: ['# see virtfn check image'] });
  };
  return {
    architecture: valueIn(architecture),
    architectureUnknown: isKnown(architecture) ? '' : architecture.unknown,
    byBios: mode(valueIn(boot.biosLoader) === true && !arm, 'a BIOS'),
    byUefi: mode((arm ? /aa64\.efi$/i : /x64\.efi$/i).test(efi ?? ''), 'UEFI'),
    ena: worst(usable(facts, 'ena', 'ENA')),
    nvme: worst([...usable(facts, 'nvme', 'NVMe'), ...earlyVerdicts(facts, 'nvme')]),
    xenDisk: worst([
      ...usable(facts, 'xen_blkfront', "Xen's disk"),
      ...earlyVerdicts(facts, 'xen_blkfront'),
    ]),
    xenNetwork: worst(usable(facts, 'xen_netfront', "Xen's network")),
    ixgbevf: worst(usable(facts, 'ixgbevf', 'the 82599 VF')),
    efa: worst(
      facts.system === 'linux' ? usable(facts, 'efa', 'EFA') : [unknown('EFA is of Linux')],
    ),
    diskNames: worst(byRules(facts, ['image-fstab-names', 'image-root-argument'])),
    network: worst(byRules(facts, ['image-network-dhcp', 'image-no-pinned-names'])),
  };
}

function usable(facts: ImageFacts, name: DriverName, card: string): Verdict[] {
  return [
    ...presentVerdicts(facts, name, card),
    ...[indexedVerdicts, permittedVerdicts, fittingVerdicts].flatMap((judge) => judge(facts, name)),
  ];
}

function byRules(facts: ImageFacts, ids: readonly string[]): Verdict[] {
  return imageRules.filter(({ id }) => ids.includes(id)).flatMap(({ evaluate }) => evaluate(facts));
}

const weight: Readonly<Record<Outcome, number>> = {
  fail: 0,
  unknown: 1,
  pass: 2,
  notApplicable: 3,
};

function worst(verdicts: readonly Verdict[]): Verdict {
  const [first] = [...verdicts].sort((a, b) => weight[a.outcome] - weight[b.outcome]);
  return first ?? pass('nothing stands against it');
}

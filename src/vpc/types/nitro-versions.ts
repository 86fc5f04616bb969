/**
 * Which version of the Nitro System a family is built on. EC2's API does not say; the EC2 Instance
 * Types Guide does ("Instances built on the AWS Nitro System" and each "Platform summary", 2024 and
 * 2026), and for the newest families so far only the tabs of "EFA-supported instance types".
 */
import { familyOf, type InstanceType } from '../instance-type.ts';

const GUIDE = 'EC2 Instance Types Guide, platform summaries';
const EFA_PAGE = 'EC2 User Guide, tabs of "Elastic Fabric Adapter", at second hand';

const rows: readonly (readonly [version: number, source: string, families: string])[] = [
  [2, GUIDE, 'a1 c5 c5a c5ad c5d c6g c6gd g5g i3 m5 m5a m5ad m5d m6g m6gd r5 r5a r5ad r5b r5d r6g'],
  [2, GUIDE, 'r6gd t3 t3a t4g x2gd z1d mac1 mac2 mac2-m1ultra mac2-m2 mac2-m2pro mac-m4max'],
  [3, GUIDE, 'c5n d3 d3en dl1 dl2q g4ad g4dn g5 i3en inf1 m5dn m5n m5zn p3dn p4d p4de r5dn r5n'],
  [3, GUIDE, 'u-3tb1 u-6tb1 u-9tb1 u-12tb1 u-18tb1 u-24tb1 vt1 x2iezn'],
  [4, GUIDE, 'c6a c6gn c6i c6id c6in c7a c7g c7gd c7i c7i-flex g6 gr6 hpc6a hpc6id hpc7a i4g i4i'],
  [4, GUIDE, 'im4gn inf2 is4gen m6a m6i m6id m6idn m6in m7a m7g m7gd m7i m7i-flex p5 r6a r6i r6id'],
  [4, GUIDE, 'r6idn r6in r7a r7g r7gd r7i r7iz trn1 trn1n u7i-12tb u7in-16tb u7in-24tb u7in-32tb'],
  [4, GUIDE, 'x2idn x2iedn'],
  [4, EFA_PAGE, 'f2 g6e i7i p5e u7i-6tb u7i-8tb'],
  [5, GUIDE, 'c7gn hpc7g m8g m8gd mac-m4 mac-m4pro r8g'],
  [5, EFA_PAGE, 'c8g i7ie i8g p5en trn2 x8g'],
  [6, GUIDE, 'm8a m8azn m8gb m8gn m8i m8i-flex m8ib m8id m8idb m8idn m8in m8ine m9g m9gd'],
  [
    6,
    EFA_PAGE,
    'c8a c8gb c8gn c8i c8in c9g g7 g7e hpc8a i8ge p6-b200 p6-b300 r8gb r8gn r8i r8in x8i',
  ],
];

export type NitroVersion = { readonly version: number; readonly source: string };

const versions = new Map(
  rows.flatMap(([version, source, families]) =>
    families.split(' ').map((family): [string, NitroVersion] => [family, { version, source }]),
  ),
);

/** null: a Xen instance, or a family of which it is not known. */
export function nitroVersionOf(type: InstanceType): NitroVersion | null {
  if (type.hypervisor === 'xen') return null;
  return versions.get(familyOf(type)) ?? null;
}

/** All families of the table, for tests. */
export const knownFamilies = (): string[] => [...versions.keys()];

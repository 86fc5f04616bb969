/**
 * What a generation of EFA offers: one table per generation, each line with where it comes from. The
 * device asks the traits and never the name of a generation.
 *
 * Amazon publishes the formats, and for which instances RDMA read and write work; limits per
 * generation it does not. What is assumed says so.
 */
import { DEVICE_CAP, FEATURE } from '../../defs/efa-admin.ts';

/** The vendor says so; somebody saw it on a real card; we think so. */
export type Provenance = 'published' | 'observed' | 'assumed';

export type EfaTraits = {
  readonly deviceId: number;
  /** Bit per `FEATURE`. */
  readonly features: number;
  /** Bits of `DEVICE_CAP`. */
  readonly deviceCaps: number;
  /** ALLOC_MR, and fast registration in the send queue. */
  readonly fastRegistration: boolean;
  /** VERSION and CONTROLLER_VERSION registers. */
  readonly deviceVersion: number;
  readonly controllerVersion: number;
  readonly dmaAddressBits: number;
  /** Bytes of a message. */
  readonly mtu: number;
  readonly maxRdmaBytes: number;
  readonly maxSqDepth: number;
  readonly minSqDepth: number;
  readonly maxRqDepth: number;
  readonly maxCqDepth: number;
  readonly subCqsPerCq: number;
  readonly maxSendSges: number;
  readonly maxRecvSges: number;
  /** In units of 64 bytes; 0: unlimited. */
  readonly maxTxBatch: number;
  readonly maxMrPages: number;
  /** log2 of the smallest and the largest page of a region. */
  readonly pageShift: readonly [min: number, max: number];
  readonly eventQueues: number;
};

type Claim<T> = { readonly value: T; readonly provenance: Provenance; readonly source: string };
export type EfaClaims = { readonly [K in keyof EfaTraits]: Claim<EfaTraits[K]> };

export type EfaProfile = EfaTraits & {
  readonly name: string;
  /** Each trait with where it comes from. */
  readonly claims: EfaClaims;
};

const claimed =
  (provenance: Provenance) =>
  <T>(value: T, source: string): Claim<T> => ({ value, provenance, source });
const published = claimed('published');
const assumed = claimed('assumed');

const bitsOf = (...ids: readonly number[]): number => ids.reduce((bits, id) => bits | (1 << id), 0);

const driver = 'public Linux driver: efa_main.c, efa_com.c';
const guide = 'EFA guide: RDMA read and write by instance type';
const round = 'a round number that the stock driver and libfabric work with';

const features = bitsOf(
  FEATURE.DEVICE_ATTR,
  FEATURE.AENQ_CONFIG,
  FEATURE.NETWORK_ATTR,
  FEATURE.QUEUE_ATTR_1,
  FEATURE.HW_HINTS,
  FEATURE.HOST_INFO,
  FEATURE.EVENT_QUEUE_ATTR,
);

const efa0: EfaClaims = {
  deviceId: published(0xefa0, driver),
  features: assumed(features, 'what the driver reads, without QUEUE_ATTR_2, which came late'),
  deviceCaps: published(DEVICE_CAP.RNR_RETRY, `${guide}: neither (RNR retry is assumed)`),
  fastRegistration: assumed(false, 'came with kernel verbs'),
  deviceVersion: published(0x0001, 'efa_com.c accepts 0.1 and newer'),
  controllerVersion: published(0x0100_0001, 'efa_com.c accepts 0.0.1 and newer'),
  dmaAddressBits: assumed(48, 'as ENA'),
  mtu: assumed(8928, 'seen in logs that we cannot cite'),
  maxRdmaBytes: assumed(0, 'there is none'),
  maxSqDepth: assumed(1024, round),
  minSqDepth: assumed(16, 'libefa does not work with 1'),
  maxRqDepth: assumed(4096, round),
  maxCqDepth: assumed(16_384, round),
  subCqsPerCq: assumed(2, 'so that more than one is tried with real drivers'),
  maxSendSges: published(2, 'efa_io_defs.h: EFA_IO_TX_DESC_NUM_BUFS'),
  maxRecvSges: assumed(1, 'libfabric wants no more'),
  maxTxBatch: assumed(16, 'a header comment gives it as example'),
  maxMrPages: assumed(1 << 20, round),
  pageShift: assumed([12, 30], 'pages of 4 KiB to 1 GiB'),
  eventQueues: assumed(8, round),
};
const efa1: EfaClaims = {
  ...efa0,
  deviceId: published(0xefa1, driver),
  deviceCaps: published(DEVICE_CAP.RNR_RETRY | DEVICE_CAP.RDMA_READ, `${guide}: read`),
  maxRdmaBytes: assumed(1 << 30, round),
  subCqsPerCq: assumed(1, round),
};
const efa2: EfaClaims = {
  ...efa1,
  deviceId: published(0xefa2, driver),
  features: assumed(features | bitsOf(FEATURE.QUEUE_ATTR_2), 'the newer inline size'),
  deviceCaps: published(
    DEVICE_CAP.RNR_RETRY | DEVICE_CAP.RDMA_READ | DEVICE_CAP.RDMA_WRITE,
    `${guide}: read and write`,
  ),
  maxRecvSges: assumed(2, 'more than one is possible by the descriptor'),
  maxTxBatch: assumed(0, 'no limit'),
};
const efa3: EfaClaims = {
  ...efa2,
  deviceId: published(0xefa3, driver),
  deviceCaps: assumed(
    DEVICE_CAP.RNR_RETRY |
      DEVICE_CAP.RDMA_READ |
      DEVICE_CAP.RDMA_WRITE |
      DEVICE_CAP.UNSOLICITED_WRITE_RECV,
    'unsolicited write receive is the newest capability',
  ),
  fastRegistration: assumed(true, 'came with kernel verbs'),
};

function profile(name: string, claims: EfaClaims): EfaProfile {
  const values = Object.fromEntries(
    Object.entries(claims).map(([trait, { value }]) => [trait, value]),
  ) as EfaTraits;
  return { ...values, name, claims };
}

/** The newest first: it has all that there is. */
export const efaProfiles: readonly EfaProfile[] = [
  profile('efa3', efa3),
  profile('efa2', efa2),
  profile('efa1', efa1),
  profile('efa0', efa0),
];

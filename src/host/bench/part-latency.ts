/** How long frames are on their way while the path carries half of what it can. */
import { latencyContender } from './own.ts';
import { type Group, startAll } from './parts.ts';

export const latencyGroup: Group = {
  name: 'latency at half load',
  turns: ({ latencySeconds }) => ({ rounds: 1, ms: latencySeconds * 1000, firstMs: 1000 }),
  start: (_, absent) => startAll([{ what: 'latency', start: latencyContender }], absent),
};

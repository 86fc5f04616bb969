/** How long frames are on their way while the path carries half of what it can. */
import { nsEach } from './native.ts';
import { latencyContender } from './own.ts';
import { limitBeside } from './part-limits.ts';
import { type Group, startAll } from './parts.ts';

/** Of both threads' loops, which are not those of full load: code that is not compiled leaves garbage. */
const warmUpMs = 3000;
const line = ['latency.line', 'cache line to another core and back', 'us'] as const;

export const latencyGroup: Group = {
  name: 'latency at half load',
  turns: ({ latencySeconds }) => ({ rounds: 1, ms: latencySeconds * 1000, firstMs: warmUpMs }),
  start: ({ native }, absent) =>
    startAll(
      [
        { what: 'latency at half load', start: latencyContender },
        limitBeside(native, line, ['line'], (slice) => nsEach(slice) / 1e3),
      ],
      absent,
    ),
};

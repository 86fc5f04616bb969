import { known } from '../fact.ts';
import { testRules } from '../testing-rules.ts';
import { bootedRules } from './booted-rules.ts';
import { absent, booted, imageFacts, withDrivers } from './testing-image.ts';

const at = { file: '/test' };
const silent = { driver: known(false, at), address: known(null, at), asked: known(false, at) };
const noEna = withDrivers({ ena: absent });

testRules('image', bootedRules, [
  { rule: 'image-boots-with-driver', outcome: 'pass', given: 'a driver', facts: booted() },
  {
    rule: 'image-boots-with-driver',
    outcome: 'fail',
    given: 'a card that stays alone',
    facts: booted(silent),
  },
  { rule: 'image-boots-with-address', outcome: 'pass', given: 'a lease', facts: booted() },
  {
    rule: 'image-boots-with-address',
    outcome: 'fail',
    given: 'nothing that asks',
    facts: booted(silent),
    says: /did not ask/,
  },
  {
    rule: 'image-boots-with-address',
    outcome: 'fail',
    given: 'a lease that nobody uses',
    facts: booted({ address: known(null, at) }),
    says: /does not use/,
  },
  { rule: 'image-boots-with-metadata', outcome: 'pass', given: 'an answer', facts: booted() },
  {
    rule: 'image-boots-with-metadata',
    outcome: 'fail',
    given: 'no request',
    facts: booted({ metadata: known(null, at) }),
  },
  { rule: 'image-boots-with-jumbo-frames', outcome: 'pass', given: '9001', facts: booted() },
  {
    rule: 'image-boots-with-jumbo-frames',
    outcome: 'fail',
    given: '1500',
    facts: booted({ mtu: known(1500, at) }),
  },
  {
    rule: 'image-boots-with-jumbo-frames',
    outcome: 'notApplicable',
    given: 'no TCP',
    facts: booted({ mtu: known(null, at) }),
  },
  {
    rule: 'image-boots-as-files-say',
    outcome: 'pass',
    given: 'good files and a good boot',
    facts: booted(),
  },
  {
    rule: 'image-boots-as-files-say',
    outcome: 'pass',
    given: 'files without a driver and a card that stays alone',
    facts: booted(silent, noEna),
  },
  {
    rule: 'image-boots-as-files-say',
    outcome: 'fail',
    given: 'good files and no address',
    facts: booted({ address: known(null, at) }),
    says: /the address should work, and did not/,
  },
  {
    rule: 'image-boots-as-files-say',
    outcome: 'fail',
    given: 'files without a driver, and a driver',
    facts: booted({}, noEna),
    says: /the driver should not work, and did/,
  },
  {
    rule: 'image-boots-as-files-say',
    outcome: 'notApplicable',
    given: 'no boot',
    facts: imageFacts(),
  },
]);

import { seededTimes } from '../../src/lib/testing-seed.ts';
import { IxgbevfFuzz } from './ixgbevf-fuzz.ts';

const steps = 300;
const name = 'a hostile driver of an 82599 VF breaks nothing but its own function, until its reset';

seededTimes(8, name, (_, seed) => {
  const fuzz = new IxgbevfFuzz(seed);
  try {
    fuzz.run(steps);
  } catch (cause) {
    throw new Error(fuzz.log.map((line) => `  ${line}`).join('\n'), { cause });
  }
});

/** Whole numbers as options: a parser for Commander that says what it expected. */
import { InvalidArgumentError } from 'commander';

export const whole =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };

/** stub */
import type { Command } from 'commander';
export function addLabCommand(_program: Command, _exit: (code: number) => void): void {}

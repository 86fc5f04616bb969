/** What a trace says of an admin command, in the names of the public headers. */

/** `about`: the feature's name, asked for where the command is about one. */
export type CommandLine = (opcode: number, status: number, about: () => string) => string;

/** `opcodes`: their codes by name. `statuses`: by name, in the order of their codes. */
export function commandLine(opcodes: object, statuses: object): CommandLine {
  const names = new Map<unknown, string>(
    Object.entries(opcodes).map(([name, code]) => [code, name]),
  );
  const statusNames = Object.keys(statuses);
  return (opcode, status, about) => {
    const name = names.get(opcode) ?? `opcode ${opcode}`;
    const of = name.endsWith('_FEATURE') ? ` ${about()}` : '';
    return `admin ${name}${of} -> ${statusNames[status] ?? status}`;
  };
}

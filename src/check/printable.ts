/**
 * Words of others made fit to print. What is checked may be hostile: a name on a disk or a tag in an
 * account must not move the cursor, colour the screen, reorder text or flood it; and in a command
 * that a person is told to run it must stay one word.
 */

const maxLength = 400;
/** C0, DEL, C1; soft hyphen; zero width, bidirectional and line marks; tags; lone surrogates. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Control and invisible characters as escapes, and at most 400 characters. */
export function printable(text: string, length = maxLength): string {
  const cut = text.length > length ? `${text.slice(0, length - 1)}…` : text;
  return cut.replace(unprintable, escaped);
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

/** One word of a POSIX shell, whatever is in it. */
export function shellWord(text: string): string {
  const plain = printable(text);
  return /^[\w@%+=:,./-]+$/.test(plain) ? plain : `'${plain.replaceAll("'", `'\\''`)}'`;
}

/**
 * UDP in a guest, instruction by instruction, because its busybox has no program that serves it:
 * one that echoes, and one that asks and says what came of it.
 */
import { x86Program } from './elf-object.ts';

/** Instructions as hex; an instruction that ends with the distance to a label; a label. */
type Part =
  | string
  | Buffer
  | { readonly code: string; readonly to: string; readonly bytes: 1 | 4 }
  | { readonly label: string };

const lea = (code: string, to: string): Part => ({ code, to, bytes: 4 });
const jump = (code: string, to: string): Part => ({ code, to, bytes: 1 });
const label = (name: string): Part => ({ label: name });
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

function assemble(parts: readonly Part[]): Buffer {
  const at = new Map<string, number>();
  let length = 0;
  for (const part of parts) {
    if (typeof part === 'object' && 'label' in part) at.set(part.label, length);
    length += sizeOf(part);
  }
  let end = 0;
  return Buffer.concat(
    parts.map((part) => {
      end += sizeOf(part);
      if (typeof part === 'string') return hex(part);
      if (Buffer.isBuffer(part)) return part;
      if ('label' in part) return Buffer.alloc(0);
      const distance = Buffer.alloc(part.bytes);
      distance.writeIntLE((at.get(part.to) ?? 0) - end, 0, part.bytes);
      return Buffer.concat([hex(part.code), distance]);
    }),
  );
}

function sizeOf(part: Part): number {
  if (typeof part === 'string') return hex(part).length;
  if (Buffer.isBuffer(part)) return part.length;
  return 'label' in part ? 0 : hex(part.code).length + part.bytes;
}

/** struct sockaddr_in */
function socketAddress(address: string, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(2, 0);
  bytes.writeUInt16BE(port, 2);
  for (const [i, part] of address.split('.').entries()) bytes[4 + i] = Number(part);
  return bytes;
}

const openSocket: Part[] = [
  '6a 29 58 6a 02 5f 6a 02 5e 31 d2 0f 05', // socket(AF_INET, SOCK_DGRAM, 0)
  '89 c3', // mov %eax, %ebx
];

/** bind (0x31) or connect (0x2a) with a sockaddr_in at a label; a failure leaves. */
const withAddress = (call: '31' | '2a', where: string): Part[] => [
  `b8 ${call} 00 00 00 89 df`,
  lea('48 8d 35', where), // lea where(%rip), %rsi
  'ba 10 00 00 00 0f 05 85 c0',
  jump('78', 'out'), // js out
];

const leave: Part[] = [
  label('out'),
  'f7 d8 89 c7 b8 3c 00 00 00 0f 05', // exit(-%eax): the errno, or 0
];

/** Sends every datagram of a port back to where it came from, until it is killed. */
export const udpEcho = (port: number): Buffer =>
  x86Program(
    assemble([
      ...openSocket,
      ...withAddress('31', 'own'),
      '48 81 ec 00 08 00 00', // sub $2048, %rsp
      label('next'),
      'c7 44 24 18 10 00 00 00', // the address's room: 16 bytes
      'b8 2d 00 00 00 89 df 48 8d 74 24 40 ba dc 05 00 00 45 31 d2',
      '4c 8d 04 24 4c 8d 4c 24 18 0f 05', // recvfrom(fd, stack + 64, 1500, 0, stack, stack + 24)
      '89 c2 b8 2c 00 00 00 89 df 48 8d 74 24 40 45 31 d2',
      '4c 8d 04 24 41 b9 10 00 00 00 0f 05', // sendto(fd, stack + 64, length, 0, stack, 16)
      jump('eb', 'next'),
      ...leave,
      label('own'),
      socketAddress('0.0.0.0', port),
    ]),
  );

/**
 * Sends a datagram and waits a second for an answer. The exit code: 0 answered, 11 (EAGAIN) not, 111
 * (ECONNREFUSED) an ICMP error came back. `from`: its own port, 0: any.
 */
export const udpAsk = (address: string, port: number, from = 0): Buffer =>
  x86Program(
    assemble([
      ...openSocket,
      'b8 36 00 00 00 89 df be 01 00 00 00 ba 14 00 00 00',
      lea('4c 8d 15', 'second'), // lea second(%rip), %r10
      '41 b8 10 00 00 00 0f 05', // setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, second, 16)
      ...withAddress('31', 'own'),
      ...withAddress('2a', 'peer'),
      'b8 01 00 00 00 89 df',
      lea('48 8d 35', 'second'),
      'ba 08 00 00 00 0f 05 85 c0', // write(fd, second, 8)
      jump('78', 'out'),
      '31 c0 89 df 48 83 ec 40 48 89 e6 ba 40 00 00 00 0f 05 85 c0', // read(fd, stack, 64)
      jump('78', 'out'),
      '31 c0', // answered
      ...leave,
      label('own'),
      socketAddress('0.0.0.0', from),
      label('peer'),
      socketAddress(address, port),
      label('second'),
      hex('01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00'), // struct timeval
    ]),
  );

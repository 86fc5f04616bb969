/** Numbers that a driver allocates and frees (protection domains, user access regions), with their users. */
export class Numbers {
  /** Users of each; -1: it is free. */
  readonly #users: Int32Array;
  #next = 0;

  constructor(count: number) {
    this.#users = new Int32Array(count).fill(-1);
  }

  reset(): void {
    this.#users.fill(-1);
    this.#next = 0;
  }

  has(number: number): boolean {
    return (this.#users[number] ?? -1) >= 0;
  }

  isUsed(number: number): boolean {
    return (this.#users[number] ?? 0) > 0;
  }

  /** A number, or -1: all are taken. */
  allocate(): number {
    const count = this.#users.length;
    for (let i = 0; i < count; i++) {
      const number = (this.#next + i) % count;
      if (this.has(number)) continue;
      this.#users[number] = 0;
      this.#next = number + 1;
      return number;
    }
    return -1;
  }

  free(number: number): void {
    this.#users[number] = -1;
  }

  use(number: number): void {
    this.#users[number] = (this.#users[number] as number) + 1;
  }

  release(number: number): void {
    this.#users[number] = (this.#users[number] as number) - 1;
  }
}

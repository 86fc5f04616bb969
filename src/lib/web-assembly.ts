/**
 * The part of WebAssembly's JavaScript interface (W3C, "WebAssembly JavaScript Interface") that is used
 * here: TypeScript has it among the browser's types only.
 */
declare global {
  namespace WebAssembly {
    /** Memory that a module's loads and stores go to; sizes in pages of 64 KiB. */
    class Memory {
      constructor(descriptor: { readonly initial: number; readonly maximum?: number });
      readonly buffer: ArrayBuffer;
    }
    /** Compiled code. */
    class Module {
      constructor(bytes: Uint8Array);
      static exports(module: Module): readonly { readonly name: string; readonly kind: string }[];
      static imports(module: Module): readonly { readonly module: string; readonly name: string }[];
    }
    /** Code with what it imports. */
    class Instance {
      constructor(
        module: Module,
        imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
      );
      readonly exports: Readonly<Record<string, unknown>>;
    }
  }
}

export {};

/** `virtfn check image --boot`: which cards were meant, and a boot on each. */
import { valueIn } from '../check/fact.ts';
import type { BootedCard, ImageFacts } from '../check/image/facts.ts';
import { isModel, type ModelName, modelNames, modelOf } from '../host/dataplane/models.ts';
import { chooseAccelerator } from '../host/guest/accelerator.ts';
import { ensureGuestImage } from '../host/guest/guest-image.ts';
import { ensureQemu } from '../host/guest/tools.ts';
import { bootImage } from '../host/image/boot-image.ts';
import { cacheDirectory } from '../host/packages/cache.ts';
import { Steps } from './steps.ts';
import { UsageError } from './usage-error.ts';

export type Card = { readonly model: ModelName; readonly profile?: string };

const MEMORY_MB = 1024;

/** `ena,82599vf`, `ena:nitro-v5`, `efa:each`; true: the card of most instances. */
export function parseCards(text: string | true): Card[] {
  if (text === true) return [{ model: 'ena' }];
  return text.split(',').flatMap((word): Card[] => {
    const [model = '', profile] = word.split(':');
    if (!isModel(model))
      throw new UsageError(
        `--boot ${word}: there is no card '${model}'; expected ${modelNames.join(', ')}`,
      );
    const { profiles } = modelOf(model);
    if (profile === undefined) return [{ model }];
    if (profile === 'each') return profiles.map((name) => ({ model, profile: name }));
    if (profiles.includes(profile)) return [{ model, profile }];
    throw new UsageError(
      `--boot ${word}: ${model} has no profile '${profile}'; expected each, ${profiles.join(', ')}`,
    );
  });
}

export async function bootAll(
  facts: ImageFacts,
  cards: readonly Card[],
  { offline = false, bootTimeout }: { offline?: boolean; bootTimeout: number },
  signal: AbortSignal,
): Promise<BootedCard[]> {
  const { format, path, compressed } = facts.source;
  if (format === 'directory' || format === 'tar')
    throw new UsageError(`--boot needs a disk, and ${path} is a ${format}`);
  if (compressed) throw new UsageError(`--boot needs the disk itself: unpack ${path} first`);
  const by = starterOf(facts);
  const steps = new Steps();
  const progress = (name: string, fraction: number | undefined, text: string): void =>
    steps.detail(`${name}: ${text}`, fraction);
  const options = { cache: cacheDirectory(), progress, offline, signal };
  try {
    steps.step('Setting up');
    const qemu = await ensureQemu(options);
    const image = await ensureGuestImage('6.12', { ...options, extraFiles: [] });
    const { accelerator } = await chooseAccelerator('auto', { qemu, image, ...options });
    const boots: BootedCard[] = [];
    for (const { model, profile } of cards) {
      steps.step(
        `Booting on ${modelOf(model).title}${profile === undefined ? '' : `, ${profile}`}`,
      );
      boots.push(
        await bootImage({
          ...{ disk: { path, format, mode: 'snapshot' }, by, model, accelerator, options },
          ...(profile !== undefined && { profile }),
          timeoutMs: bootTimeout * 1000,
          memoryMb: MEMORY_MB,
          onSeen: (text) => steps.detail(text),
        }),
      );
    }
    steps.done();
    return boots;
  } catch (error) {
    if (signal.aborted) steps.stopped();
    else steps.failed();
    throw error;
  }
}

/** By a BIOS as most x86 instances do where it can, else by UEFI. */
function starterOf({ architecture, boot, source }: ImageFacts): 'bios' | 'uefi' {
  const processors = valueIn(architecture);
  if (processors !== null && processors !== 'x86_64')
    throw new UsageError(`--boot has x86 machines only, and ${source.path} is for ${processors}`);
  if (valueIn(boot.biosLoader) === true) return 'bios';
  if (/x64\.efi$/i.test(valueIn(boot.efiLoader) ?? '')) return 'uefi';
  throw new UsageError(
    `--boot finds nothing to start: ${source.path} has no code in its first sector and no /EFI/BOOT/BOOTX64.EFI`,
  );
}

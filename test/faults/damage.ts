import type { Random } from '#base';

/** The files of a storage by name. */
export type Files = Map<string, Uint8Array>;

type DamageKind = 'flip' | 'cut' | 'drop' | 'swap' | 'delete' | 'exchange';

/** One way in which a disk or a storage lies about one file, or about two that it takes for each other. */
export interface Damage {
  kind: DamageKind;
  /** What is damaged: one name, of an exchange two. */
  names: string[];
  /** For a failing test: what was done. */
  text: string;
  apply(files: Files): void;
}

/** All kinds of damage to a file, at places by chance. @param other a file of the same kind, to be exchanged with it */
export function damagesOf(
  name: string,
  sizeBytes: number,
  random: Random,
  options: { other: string | undefined; flips: number },
): Damage[] {
  const change = (kind: DamageKind, text: string, change: (bytes: Uint8Array) => Uint8Array): Damage => ({
    kind,
    names: [name],
    text: `${kind} ${name} (${sizeBytes} bytes) ${text}`,
    apply: (files) => files.set(name, change(files.get(name)!.slice())),
  });
  const flips = Array.from({ length: options.flips }, (_, i) => {
    // The last one hits the end, where a pack has its header.
    const place = i === 0 ? sizeBytes - 1 - random.below(Math.min(40, sizeBytes)) : random.below(sizeBytes);
    const bit = random.below(8);
    return change('flip', `bit ${bit} of byte ${place}`, (bytes) => {
      bytes[place]! ^= 1 << bit;
      return bytes;
    });
  });
  const cutAt = random.below(sizeBytes);
  const dropAt = random.below(sizeBytes);
  const dropBytes = 1 + random.below(Math.min(64, sizeBytes - dropAt));
  const half = Math.floor(sizeBytes / 2);
  const swapBytes = 1 + random.below(Math.min(64, half));
  const swapAt = random.below(half - swapBytes + 1);
  const damages = [
    ...flips,
    change('cut', `to ${cutAt} bytes`, (bytes) => bytes.slice(0, cutAt)),
    change('drop', `${dropBytes} bytes at ${dropAt}`, (bytes) =>
      Buffer.concat([bytes.subarray(0, dropAt), bytes.subarray(dropAt + dropBytes)]),
    ),
    change('swap', `${swapBytes} bytes at ${swapAt} and ${half + swapAt}`, (bytes) => {
      const first = bytes.slice(swapAt, swapAt + swapBytes);
      bytes.copyWithin(swapAt, half + swapAt, half + swapAt + swapBytes);
      bytes.set(first, half + swapAt);
      return bytes;
    }),
    {
      kind: 'delete' as const,
      names: [name],
      text: `delete ${name}`,
      apply: (files: Files) => void files.delete(name),
    },
  ];
  return options.other === undefined ? damages : [...damages, exchange(name, options.other)];
}

function exchange(name: string, other: string): Damage {
  return {
    kind: 'exchange',
    names: [name, other],
    text: `exchange ${name} with ${other}`,
    apply: (files) => {
      const bytes = files.get(name)!;
      files.set(name, files.get(other)!);
      files.set(other, bytes);
    },
  };
}

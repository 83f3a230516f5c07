import { z } from 'zod';

const unitsBytes = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const;

/** A size that a person writes: bytes, or `500 GB`, `20MiB`. What the server tells is always a number of bytes. */
export const Size = z
  .union([
    z.int().min(1),
    z
      .string()
      .regex(/^\d+(\.\d+)? ?(B|[kMGT]B|[KMGT]iB)$/, 'write a number and a unit, such as 20MiB or 500 GB'),
  ])
  .meta({ id: 'Size', examples: ['500 GB', '20MiB'] });
export type Size = z.infer<typeof Size>;

/** The bytes of a size, rounded. */
export function sizeBytes(size: Size): number {
  if (typeof size === 'number') return size;
  const [, count, unit] = /^([\d.]+) ?(\w+)$/.exec(size)!;
  return Math.round(Number(count) * unitsBytes[unit as keyof typeof unitsBytes]);
}

import { type BinaryLike, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import type { Random } from '#base';

/** OWASP's advice for scrypt: 128 MiB of memory a guess. */
const cost = { N: 2 ** 17, r: 8, p: 1 };
const hashSizeBytes = 32;
const saltSizeBytes = 16;
const form = /^scrypt\$(\d+)\$(\d+)\$(\d+)\$([A-Za-z0-9_-]+)\$([A-Za-z0-9_-]+)$/;

/** As text with all that is needed to check it: `scrypt$N$r$p$salt$hash`. */
export async function hashPassword(password: string, random: Random, { N, r, p } = cost): Promise<string> {
  const salt = Buffer.from(random.fill(new Uint8Array(saltSizeBytes)));
  const hash = await derive(password, salt, { N, r, p });
  return `scrypt$${N}$${r}$${p}$${salt.toString('base64url')}$${hash.toString('base64url')}`;
}

/** Takes the same time for a wrong password as for a right one. */
export async function isPasswordOf(password: string, hashed: string): Promise<boolean> {
  const [, N, r, p, salt, hash] = form.exec(hashed) ?? [];
  if (hash === undefined) return false;
  const expected = Buffer.from(hash, 'base64url');
  const given = await derive(password, Buffer.from(salt!, 'base64url'), {
    N: Number(N),
    r: Number(r),
    p: Number(p),
  });
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function derive(password: BinaryLike, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const maxmem = 256 * options.N! * options.r!;
    scrypt(password, salt, hashSizeBytes, { ...options, maxmem }, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

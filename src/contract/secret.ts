import { z } from 'zod';

/**
 * Where a secret lies, never the secret itself: a variable of the server's environment, a file that it can read, or
 * sealed in its catalog. Shown and exported as it stands.
 */
export const SecretRef = z
  .string()
  .regex(
    /^(env:[A-Za-z_][A-Za-z0-9_]*|file:\/.+|sealed:[A-Za-z0-9._~+/=:-]{1,8192})$/,
    'say where the secret lies: env:NAME, file:/path or sealed:…; a secret itself does not belong here',
  )
  .meta({ id: 'SecretRef', examples: ['env:SHOP_PASSWORD', 'file:/etc/holdfast/password'] });
export type SecretRef = z.infer<typeof SecretRef>;

/** A URL without a password in it, or a reference to a secret that is a whole URL. */
export const SecretUrl = z
  .union([
    SecretRef,
    z
      .string()
      .regex(/^[a-z][a-z0-9+.-]*:\/\/[^\s]+$/i, 'write a URL, or where one lies: env:NAME, file:/path')
      .refine(
        hasNoPassword,
        'a password does not belong into a URL; put it under password, as env:NAME or file:/path',
      ),
  ])
  .meta({ id: 'SecretUrl', examples: ['mongodb://db.example.org/shop', 'env:MONGO_URL'] });
export type SecretUrl = z.infer<typeof SecretUrl>;

/** Whether no `user:password@` stands before the host. */
export function hasNoPassword(url: string): boolean {
  return !/^[a-z][a-z0-9+.-]*:(\/\/)?[^/?#]*:[^@/]*@/i.test(url);
}

/** POST /secrets: keeps a secret sealed and gives the reference to write instead of it. */
export const SecretToSeal = z
  .strictObject({ secret: z.string().min(1).max(65_536) })
  .meta({ id: 'SecretToSeal' });
export type SecretToSeal = z.infer<typeof SecretToSeal>;

export const SealedSecret = z
  .object({ reference: SecretRef, fingerprint: z.string().describe('to recognise it, not to guess it') })
  .meta({ id: 'SealedSecret' });
export type SealedSecret = z.infer<typeof SealedSecret>;

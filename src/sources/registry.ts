import { SourceError } from './errors.ts';

/** The kinds of source that a location on the command line can name. One line for each kind. */
const kinds = {
  bucket: { form: /^s3:/i, example: 's3:https://host/bucket/prefix' },
  mongodb: { form: /^mongodb(\+srv)?:\/\//i, example: 'mongodb://db.example.org/' },
  files: { form: /^(?![a-z][a-z0-9+.-]+:\/\/)/i, example: '/home/ada' },
} satisfies Record<string, { form: RegExp; example: string }>;

export type SourceKind = keyof typeof kinds;

/** Which kind reads a location: a URL says it by its scheme, everything else is a path. @throws SourceError 'sources.location' */
export function sourceKindOf(location: string): SourceKind {
  const entries = Object.entries(kinds) as [SourceKind, (typeof kinds)[SourceKind]][];
  for (const [kind, { form }] of entries) if (form.test(location)) return kind;
  throw new SourceError('sources.location', `no kind of source reads ${location.split(':')[0]}: addresses`, {
    hint: `Use one of: ${entries.map(([, { example }]) => example).join(', ')}. A file of that name is written ./${location.split('/')[0]}/…`,
  });
}

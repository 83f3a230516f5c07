import { z } from 'zod';
import { ConfigFile } from './configuration.ts';
import type { Path } from './yaml-text.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** JSON Schema of holdfast.yaml, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(ConfigFile, { io: 'input' }) as JsonSchema;
  return { ...schema, patternProperties: { '^x-': {} } };
}

let known: JsonSchema | undefined;

/**
 * The keys that the schema has at a path.
 * @param value of the whole file; its `kind` decides where a thing has several forms
 */
export function keysAt(path: Path, value: unknown): string[] {
  known ??= configJsonSchema() as JsonSchema;
  let at: { schemas: JsonSchema[]; value: unknown } = { schemas: formsOf(known, value), value };
  for (const step of path) {
    const inner = (at.value as Record<string | number, unknown> | null | undefined)?.[step];
    at = { schemas: at.schemas.flatMap((schema) => childOf(schema, step, inner)), value: inner };
  }
  return [...new Set(at.schemas.flatMap(({ properties }) => Object.keys(properties ?? {})))];
}

function childOf(schema: JsonSchema, step: string | number, value: unknown): JsonSchema[] {
  const child =
    typeof step === 'number' ? schema.items : (schema.properties?.[step] ?? schema.additionalProperties);
  return typeof child === 'object' && !Array.isArray(child) ? formsOf(child as JsonSchema, value) : [];
}

/** Follows references and alternatives; of those with a `kind`, the one that the value has. */
function formsOf(schema: JsonSchema, value: unknown): JsonSchema[] {
  if (schema.$ref !== undefined) {
    const target = known?.$defs?.[schema.$ref.replace('#/$defs/', '')];
    return target ? formsOf(target as JsonSchema, value) : [];
  }
  const forms = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])] as JsonSchema[];
  if (forms.length === 0) return [schema];
  return forms.flatMap((form) => formsOf(form, value)).filter((form) => fitsKind(form, value));
}

function fitsKind({ properties }: JsonSchema, value: unknown): boolean {
  const kind = properties?.kind as JsonSchema | undefined;
  if (kind === undefined) return true;
  const given = (value as { kind?: unknown } | null)?.kind ?? kind.default;
  return kind.const === given || (kind.enum ?? []).includes(given as string);
}

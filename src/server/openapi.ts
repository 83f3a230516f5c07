import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';

/** Describes the routes that come after it as OpenAPI 3.1, by their schemas. */
export async function describeRoutes(app: FastifyInstance, version: string): Promise<void> {
  const schemaRegistry = namedSchemas();
  const transformObject = createJsonSchemaTransformObject({ schemaRegistry });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Holdfast', version, description: 'Backups that are proven to restore.' },
      servers: [{ url: '/' }],
      components: {
        securitySchemes: {
          session: { type: 'apiKey', in: 'cookie', name: 'holdfast_session' },
          token: { type: 'http', scheme: 'bearer' },
        },
      },
      security: [{ session: [] }, { token: [] }],
    },
    transform: createJsonSchemaTransform({ schemaRegistry }),
    transformObject: (document) => withoutUnused(transformObject(document)),
  });
}

/**
 * The contract's schemas under names that stay apart: each is described as it is sent (`Plan`) and as it is taken
 * (`PlanInput`), so that what is called PlanInput already becomes PlanRequest.
 */
function namedSchemas() {
  const named = z.registry<{ id?: string | undefined }>();
  for (const [id, schema] of z.globalRegistry._idmap)
    named.add(schema, { ...z.globalRegistry.get(schema), id: id.replace(/Input$/, 'Request') });
  return named;
}

/** Every schema comes in both forms, and most are needed in one. */
function withoutUnused<Described extends object>(document: Described): Described {
  const { components = {}, ...rest } = document as { components?: { schemas?: Record<string, unknown> } };
  const { schemas = {} } = components;
  const used = new Map<string, unknown>();
  const collect = (part: unknown): void => {
    for (const [, name] of JSON.stringify(part).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name!)) continue;
      used.set(name!, schemas[name!]);
      collect(schemas[name!]);
    }
  };
  collect(rest);
  return {
    ...rest,
    components: { ...components, schemas: Object.fromEntries([...used].sort()) },
  } as Described;
}

import { hostname } from 'node:os';
import { z } from 'zod';
import type { Configured, DeliveryRecord } from '#catalog';
import { Channel, ChannelSpec, Delivery, Name, PageQuery, pageOf } from '#contract';
import { tellTest } from '#plans';
import type { ServerContext } from '../context.ts';
import { callerOfRequest } from '../guard.ts';
import { compact } from '../present/present-job.ts';
import type { App } from './app-type.ts';
import { assertNotOfFile } from './read-only.ts';

const Named = z.object({ name: Name });
const Input = z.strictObject({ name: Name, spec: ChannelSpec }).meta({ id: 'ChannelInput' });
/** Many an address is a secret itself, so that who may only look does not see them. */
const config = { needs: 'write' } as const;

/** Channels: list, add, change, remove, try out, and what they were told. */
export function channelRoutes(app: App, { records, clock }: ServerContext): void {
  const present = async (channel: Configured<ChannelSpec>): Promise<Channel> => {
    const { id, name, origin, spec, createdAt, updatedAt, revision } = channel;
    const [last] = (await records.deliveries.list({ channel: name }, { limit: 1 })).items;
    return {
      ...{ id, name, origin, spec, revision },
      ...(last && { lastDelivery: presentDelivery(last) }),
      createdAt: createdAt.toISOString(),
      updatedAt: updatedAt.toISOString(),
    };
  };

  app.get(
    '/channels',
    { config, schema: { response: { 200: z.object({ items: z.array(Channel) }) } } },
    async () => ({ items: await Promise.all((await records.channels.list()).map(present)) }),
  );

  app.post(
    '/channels',
    { config, schema: { body: Input, response: { 201: Channel } } },
    async ({ body: { name, spec } }, reply) => {
      const added = await records.channels.add({ name, spec, origin: { from: 'dashboard' } });
      return reply.status(201).send(await present(added));
    },
  );

  app.put(
    '/channels/:name',
    {
      config,
      schema: {
        params: Named,
        body: Input,
        headers: z.object({ 'if-match': z.string().optional() }),
        response: { 200: Channel },
      },
    },
    async ({ params: { name }, body: { spec }, headers }) => {
      assertNotOfFile(await records.channels.get(name));
      const given = headers['if-match'];
      const revision = given === undefined ? undefined : Number(given.replaceAll('"', ''));
      return present(await records.channels.change(name, { spec, revision }));
    },
  );

  app.delete(
    '/channels/:name',
    { config, schema: { params: Named, response: { 204: z.null() } } },
    async ({ params: { name } }, reply) => {
      const channel = await records.channels.find(name);
      if (channel) assertNotOfFile(channel);
      await records.channels.remove(name);
      return reply.status(204).send(null);
    },
  );

  app.post(
    '/channels/:name/test',
    { config, schema: { params: Named, response: { 202: Delivery } } },
    async (request, reply) => {
      const channel = await records.channels.get(request.params.name);
      const delivery = await tellTest(records, channel, {
        host: hostname(),
        url: `${request.protocol}://${request.host}`,
        by: callerOfRequest(request).name,
        nowMs: clock.nowMs(),
      });
      return reply.status(202).send(presentDelivery(delivery));
    },
  );

  app.get(
    '/channels/:name/deliveries',
    {
      config,
      schema: { params: Named, querystring: PageQuery, response: { 200: pageOf(Delivery) } },
    },
    async ({ params: { name: channel }, query }) => {
      const page = await records.deliveries.list({ channel }, query);
      return { items: page.items.map(presentDelivery), ...(page.next && { next: page.next }) };
    },
  );
}

function presentDelivery({ id, channel, eventNumber, at, attempt, state, reason }: DeliveryRecord): Delivery {
  const eventId = eventNumber === undefined ? undefined : `${eventNumber}`;
  return compact({ id, channel, eventId, at: at.toISOString(), attempt, state, reason }) as Delivery;
}

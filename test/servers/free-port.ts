import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { systemClock } from '#base';

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until somebody listens. @param isGone ends the waiting: whether the program that should listen has ended */
export async function untilListening(
  port: number,
  { isGone, waitMsMax }: { isGone(): boolean; waitMsMax: number },
): Promise<void> {
  const startMs = systemClock.monotonicMs();
  while (!(await isListening(port))) {
    if (isGone()) throw new Error(`the program that should listen on port ${port} has ended`);
    if (systemClock.monotonicMs() - startMs > waitMsMax) throw new Error(`nobody listens on port ${port}`);
    await systemClock.sleep(50);
  }
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const [outcome] = await Promise.allSettled([once(socket, 'connect')]);
  socket.destroy();
  return outcome.status === 'fulfilled';
}

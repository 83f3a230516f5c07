/**
 * A worker thread: a way to a port of this machine on which every byte takes some milliseconds longer, in both
 * directions, and as many as like are on their way. For kernels without netem.
 */
import { connect, createServer, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

const { port, delayMs } = workerData as { port: number; delayMs: number };
/** As much as a line of 10 Gbit/s holds in that time. */
const onTheWayBytesMax = 16 * 1024 * 1024;

const server = createServer((near) => {
  const far = connect(port, '127.0.0.1');
  delay(near, far);
  delay(far, near);
}).listen(0, '127.0.0.1', () => parentPort!.postMessage((server.address() as { port: number }).port));

function delay(from: Socket, to: Socket): void {
  let onTheWayBytes = 0;
  from.setNoDelay(true);
  from.on('data', (piece) => {
    onTheWayBytes += piece.length;
    if (onTheWayBytes > onTheWayBytesMax) from.pause();
    setTimeout(() => {
      onTheWayBytes -= piece.length;
      if (!to.destroyed) to.write(piece);
      if (onTheWayBytes <= onTheWayBytesMax) from.resume();
    }, delayMs);
  });
  from.on('end', () => setTimeout(() => to.end(), delayMs));
  from.on('error', () => to.destroy());
}

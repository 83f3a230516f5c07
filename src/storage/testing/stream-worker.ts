// Writes one endless stream to a storage until it is killed, and prints a line as each piece is asked for.
import { openStorage } from '../registry.ts';

const [location = '', name = ''] = process.argv.slice(2);
const storage = await openStorage(location);
async function* open() {
  for (;;) {
    yield new Uint8Array(1024 * 1024);
    process.stdout.write('more\n');
  }
}
await storage.write(name, { open });

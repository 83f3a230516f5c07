// Reads the arguments and starts what they ask for.
import { main } from '#cli';

await main(process.argv.slice(2));

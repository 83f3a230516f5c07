/** Builds what is generated and never committed: WebAssembly and the dashboard. Run by npm's `prepare`. */
import { buildWasm } from './build-wasm.ts';
import { buildWeb } from './build-web.ts';

buildWasm();
await buildWeb();

/** Builds what is generated and never committed: WebAssembly. Run by npm's `prepare`. */
import { buildWasm } from './build-wasm.ts';

buildWasm();

/** Builds what is generated and never committed: the WebAssembly of the chunker. Run by npm's `prepare`. */
import { buildWasm } from './build-wasm.ts';

buildWasm();

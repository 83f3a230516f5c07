import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Builds the dashboard into web/generated, which the server serves; `npx vite web` serves it while it is worked on. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  resolve: { conditions: ['src', 'module', 'browser'] },
  build: { outDir: 'generated', emptyOutDir: true, target: 'es2024', assetsInlineLimit: 0 },
  server: { proxy: { '/api': 'http://127.0.0.1:7373', '/healthz': 'http://127.0.0.1:7373' } },
});

/** Builds MinIO for the tests, once: `scripts/node scripts/build-minio.ts`. They use it when it is there. */
import { buildMinio } from '../test/servers/minio.ts';

buildMinio();

import { storageContract } from '../testing/contract.ts';
import { MemoryStorage } from './memory-storage.ts';

storageContract({ name: 'memory', open: async () => new MemoryStorage() });

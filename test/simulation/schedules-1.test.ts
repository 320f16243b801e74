import { vi } from 'vitest';
import { describeSchedules } from './schedules.ts';

vi.mock('node:fs/promises', () => import('./disk.ts'));
describeSchedules(1);

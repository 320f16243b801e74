import { steerVerb } from './steer.ts';

export const run = steerVerb('pause');

import { describe } from 'vitest';
import { fakeKit, realKit } from '../support/zookeeper/kit.ts';
import { lostReplySuite } from './suites/lost-reply.ts';

describe('on a real server', () => lostReplySuite(realKit()));
describe('on the fake server', () => lostReplySuite(fakeKit()));

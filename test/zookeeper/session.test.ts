import { describe } from 'vitest';
import { fakeKit, realKit } from '../support/zookeeper/kit.ts';
import { sessionSuite } from './suites/session.ts';

describe('on a real server', () => sessionSuite(realKit()));
describe('on the fake server', () => sessionSuite(fakeKit()));

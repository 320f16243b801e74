import { describe } from 'vitest';
import { realKit } from '../support/zookeeper-kit.ts';
import { sessionSuite } from './suites/session.ts';

describe('on a real server', () => sessionSuite(realKit()));

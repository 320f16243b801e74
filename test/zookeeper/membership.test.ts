import { describe } from 'vitest';
import { realKit } from '../support/zookeeper-kit.ts';
import { membershipSuite } from './suites/membership.ts';

describe('on a real server', () => membershipSuite(realKit()));

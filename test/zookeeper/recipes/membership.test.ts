import { describe } from 'vitest';
import { fakeKit, realKit } from '../../support/zookeeper/kit.ts';
import { membershipSuite } from '../suites/membership.ts';

describe('on a real server', () => membershipSuite(realKit()));
describe('on the fake server', () => membershipSuite(fakeKit()));

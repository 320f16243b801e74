import { describe } from 'vitest';
import { fakeKit, realKit } from '../support/zookeeper/kit.ts';
import { recordsSuite } from './suites/records.ts';

describe('on a real server', () => recordsSuite(realKit()));
describe('on the fake server', () => recordsSuite(fakeKit()));

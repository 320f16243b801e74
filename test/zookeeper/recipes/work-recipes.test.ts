import { describe } from 'vitest';
import { fakeKit, realKit } from '../../support/zookeeper/kit.ts';
import { workRecipesSuite } from '../suites/work-recipes.ts';

describe('on a real server', () => workRecipesSuite(realKit()));
describe('on the fake server', () => workRecipesSuite(fakeKit()));
